"""A project to measure with: as many recipients as wanted, eight fields a row, text and HTML."""

from __future__ import annotations

from pathlib import Path

CAMPAIGN = """\
from: "People Team <people@example.com>"
subject: "Your offer, {{ name }}"
text: letter.txt.j2
html: letter.html.j2
recipients: list.csv
servers:
  - host: 127.0.0.1
    security: none
"""

TEXT = (
    """\
尊敬的 {{ name }}：

我们很高兴地通知您，您已被录用为 {{ position }}（{{ department }}，{{ city }}）。
月薪 {{ salary }} 元，入职日期 {{ start_date }}，工号 {{ number }}。

"""
    + "期待您的加入。We look forward to working with you.\n" * 10
)

HTML = (
    """\
<!DOCTYPE html>
<html><body style="font-family:sans-serif">
<p>尊敬的 {{ name }}：</p>
<table>
<tr><td>职位</td><td>{{ position }}</td></tr>
<tr><td>部门</td><td>{{ department }}</td></tr>
<tr><td>城市</td><td>{{ city }}</td></tr>
<tr><td>月薪</td><td>{{ salary }}</td></tr>
<tr><td>入职</td><td>{{ start_date }}</td></tr>
</table>
"""
    + "<p>期待您的加入。We look forward to working with you.</p>\n" * 10
    + "</body></html>\n"
)

HEADER = "number,name,email,position,department,city,salary,start_date\n"
ROW = "{n},李雷 {n},reader{n}@example.com,工程师,平台研发部,北京,{salary},2026-12-01\n"


def write_project(folder: Path, rows: int) -> str:
    """Write a campaign for so many recipients into `folder`; the campaign's name."""
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "letter.txt.j2").write_text(TEXT, "utf-8")
    (folder / "templates" / "letter.html.j2").write_text(HTML, "utf-8")
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "sample.yaml").write_text(CAMPAIGN, "utf-8")
    _write_list(folder / "campaigns" / "list.csv", rows)
    return "sample"


def write_rival(folder: Path, rows: int) -> None:
    """The same list and templates for a program that is not ours, side by side."""
    (folder / "letter.txt.j2").write_text(TEXT, "utf-8")
    (folder / "letter.html.j2").write_text(HTML, "utf-8")
    _write_list(folder / "list.csv", rows)


def write_mailmerge(folder: Path, rows: int, port: int) -> None:
    """The same for mailmerge: one template with both parts, and its configuration."""
    head = "TO: {{ email }}\nSUBJECT: Your offer, {{ name }}\nFROM: people@example.com\n"
    head += "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=parts\n\n"
    parts = "".join(
        f"--parts\nContent-Type: text/{subtype}; charset=utf-8\n\n{text}\n"
        for subtype, text in (("plain", TEXT), ("html", HTML))
    )
    (folder / "mailmerge_template.txt").write_text(f"{head}{parts}--parts--\n", "utf-8")
    (folder / "mailmerge_server.conf").write_text(
        f"[smtp_server]\nhost = 127.0.0.1\nport = {port}\n", "utf-8"
    )
    _write_list(folder / "mailmerge_database.csv", rows)


def _write_list(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        file.writelines(ROW.format(n=n, salary=20000 + n % 977) for n in range(1, rows + 1))
