"""The filters that templates have beside jinja2's own."""

import importlib.util
from typing import Any
from urllib.parse import unquote

import pytest
from message.sample_project import Project


async def rendered(project: Project, source: str, **fields: Any) -> str:
    project.template("a.txt.j2", source)
    return project.text(await project.compose(fields, text="a.txt.j2")).rstrip("\n")


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        ("{{ day | date }}", "zh-CN", "2026年12月1日"),
        ("{{ day | date }}", "de", "1. Dezember 2026"),
        ("{{ day | date('short') }}", "en", "12/1/26"),
        ("{{ day | date }}", "", "December 1, 2026"),
        ("{{ day | date }}", "xx-none", "December 1, 2026"),
        ("{{ day | date('EEEE') }}", "fr", "mardi"),
        ("{{ day | date(locale='ja') }}", "de", "2026年12月1日"),
        ("{{ now | date }}", "en", "December 1, 2026"),
        ("{{ at | time }}", "de", "09:30"),
        ("{{ now | time }}", "de", "09:00"),
        ("{{ pay | money('CNY') }}", "zh", "¥42,000.00"),
        ("{{ pay | money('EUR') }}", "de", "42.000,00\xa0€"),
        ("{{ pay | money('JPY') }}", "ja", "￥42,000"),
        ("{{ '42,000.5' | number }}", "de", "42.000,5"),
        ("{{ 1234567 | number }}", "en", "1,234,567"),
        ("{{ '+44 (0)20 7946-0123' | tel }}", "en", "+442079460123"),
        ("{{ '+1 (555) 123-4567 ext. 89' | tel }}", "en", "+15551234567;ext=89"),
        ("{{ '010-1234 5678转901' | tel }}", "zh", "01012345678;ext=901"),
        ("{{ '010-1234 5678 分机：901' | tel }}", "zh", "01012345678;ext=901"),
        ("{{ '138 0000 ００００' | tel }}", "zh", "13800000000"),
    ],
)
async def test_dates_money_and_numbers_are_the_recipients(
    project: Project, source: str, language: str, expected: str
) -> None:
    text = await rendered(
        project, source, language=language, day="2026-12-01", at="09:30", pay="42000"
    )

    assert text == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ 'soon' | date }}", "date: `soon` is no date such as 2026-12-01"),
        ("{{ '9h' | time }}", "time: `9h` is no time such as 09:30"),
        ("{{ '42,5' | money('EUR') }}", "`42,5` is no number such as 42000 or 12.50"),
        ("{{ 'nan' | number }}", "`nan` is no number such as 42000 or 12.50"),
        ("{{ 1 | money('YUAN') }}", "money: `YUAN` is no currency such as CNY or EUR"),
        ("{{ 1 | number(locale='nowhere') }}", "`nowhere` is no locale such as zh-CN or de"),
        ("{{ 'none' | tel }}", "tel: `none` is no telephone number"),
        # From each of so many spaces on, it would take minutes to look for an extension.
        ("{{ ('1' ~ ' ' * 100_000 ~ 'y') | tel }}", f"tel: `1{' ' * 99}…` is no telephone number"),
        ("{{ '1-800-FLOWERS' | tel }}", "tel: `1-800-FLOWERS` is no telephone number"),
        ("{{ ('y' * 321) | tel }}", f"tel: `{'y' * 100}…` is no telephone number"),
        ("{{ 'x' | qr }}", "qr: an image is for HTML, and this is plain text"),
    ],
)
async def test_a_value_that_is_none_is_the_rows_fault(
    project: Project, source: str, message: str
) -> None:
    project.template("a.txt.j2", "\n" + source)

    (fault,) = await project.faults(text="a.txt.j2")

    assert (fault.message, fault.line, fault.row) == (message, 2, 1)


async def test_a_code_of_nothing_is_the_rows_fault(project: Project) -> None:
    project.template("a.html", "{{ '' | qr }}")

    (fault,) = await project.faults(html="a.html")

    assert fault.message == "qr: there is nothing to put into the code"


async def test_a_qr_code_is_an_image_that_comes_along(project: Project) -> None:
    link = "https://example.com/?a=1&b=<2>"
    project.template("a.html", "{{ link | qr }} {{ link | qr('Scan me') }}")

    mail = await project.compose({"link": link}, html="a.html")

    (image,) = [part for part in project.parsed(mail).walk() if part["content-id"]]
    assert image.get_content_type() == "image/png"
    assert image.get_content().startswith(b"\x89PNG\r\n")
    html = project.text(mail, "html")
    assert html.count(f'src="cid:{image["content-id"].strip("<>")}"') == 2
    assert 'alt="https://example.com/?a=1&amp;b=&lt;2&gt;"' in html
    assert project.text(mail) == f"{link} Scan me\n"
    assert unquote(link) == link


async def test_the_same_row_gives_the_same_code(project: Project) -> None:
    project.template("a.html", "{{ 'x' | qr }}")

    one, other = [project.content(await project.compose(html="a.html")) for _ in range(2)]

    assert one == other


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [
        ("{{ 1 | number }}", "babel", "locale"),
        ("{{ 1 | money('EUR') }}", "babel", "locale"),
        ("{{ 1 | qr }}", "segno", "qr"),
    ],
)
async def test_a_missing_extra_is_told_before_any_row(
    project: Project, monkeypatch: pytest.MonkeyPatch, source: str, module: str, extra: str
) -> None:
    there = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == module else there(name, *more)

    monkeypatch.setattr("importlib.util.find_spec", without)
    project.template("a.txt.j2", "\n" + source)

    (fault,) = await project.faults(text="a.txt.j2")

    assert fault.message.endswith(f"needs an extra: pip install 'bulkmail[{extra}]'")
    assert (fault.line, fault.row) == (2, None)
