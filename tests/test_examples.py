"""The campaigns that ship: each passes `check`, and each letter has the parts it should have."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

CAMPAIGNS = {"offer-letter": 54, "activation": 4, "newsletter": 12}


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the project that ships: nothing is written into the repository."""
    for name in ("campaigns", "templates"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "bulkmail.yaml", tmp_path)
    return tmp_path


def bulkmail(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in `folder` without the demo's environment, as a newcomer does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BULKMAIL_")}
    return subprocess.run(
        [sys.executable, "-m", "bulkmail", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def letters(folder: Path, name: str) -> list[EmailMessage]:
    """The dry run's messages, in the order of the rows."""
    done = bulkmail(folder, "send", name, "--dry-run", "--out", "written", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["sent"] == CAMPAIGNS[name]
    return [
        message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=policy.SMTP)
        for path in sorted((folder / "written" / name).glob("*.eml"))
    ]


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_example_passes_check(name: str, examples: Path) -> None:
    done = bulkmail(examples, "check", name)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_dry_run_writes_a_letter_with_text_and_html_for_everybody(
    name: str, examples: Path
) -> None:
    written = letters(examples, name)

    assert len(written) == CAMPAIGNS[name]
    assert len({message["Message-ID"] for message in written}) == len(written)
    for message in written:
        assert not message.defects
        assert body(message, "plain").strip()
        assert "</html>" in body(message, "html")


def test_offer_letter_is_personal_down_to_the_file(examples: Path) -> None:
    campaigns = examples / "campaigns"
    with (campaigns / "offer-letter.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    written = letters(examples, "offer-letter")

    for row, message in zip(rows, written, strict=True):
        handbook, letter = message.iter_attachments()
        is_chinese = row["language"] == "zh"
        title = "录用通知书-" if is_chinese else "Offer letter - "
        assert message["To"].addresses[0].display_name == row["name"]
        assert message["To"].addresses[0].addr_spec == row["email"]
        assert row["position"] in message["Subject"]
        assert f"{int(row['salary']):,}" in body(message, "plain")
        assert row["start_date"] in body(message, "html")
        assert letter.get_filename() == f"{title}{row['name']}.pdf"
        assert letter.get_content_type() == "application/pdf"
        own = campaigns / "letters" / f"{row['employee_id']}.pdf"
        assert letter.get_content() == own.read_bytes()
        assert handbook.get_content() == (campaigns / "handbook.pdf").read_bytes()


def test_offer_letter_shows_its_logo_inline(examples: Path) -> None:
    message = letters(examples, "offer-letter")[0]

    images = [part for part in message.walk() if part.get_content_type() == "image/png"]

    (logo,) = images
    content_id = logo["Content-ID"].strip("<>")
    assert f"cid:{content_id}" in body(message, "html")
    assert logo.get_content_disposition() == "inline"
    assert logo.get_content() == (examples / "campaigns" / "images" / "logo.png").read_bytes()


def test_each_offer_letter_is_another_file() -> None:
    pdfs = sorted((REPOSITORY / "campaigns" / "letters").glob("*.pdf"))

    contents = {pdf.read_bytes() for pdf in pdfs}

    assert len(contents) == len(pdfs) == CAMPAIGNS["offer-letter"]
    assert all(content.startswith(b"%PDF-") for content in contents)


def test_activation_carries_a_token_of_its_own_in_both_parts(examples: Path) -> None:
    written = letters(examples, "activation")

    links = [
        next(line.strip() for line in body(message, "plain").splitlines() if "?token=" in line)
        for message in written
    ]

    assert len(set(links)) == len(written)
    for message, link in zip(written, links, strict=True):
        assert f'href="{link}"' in body(message, "html")
        assert message["Auto-Submitted"] == "auto-generated"


def test_newsletter_can_be_left_with_one_click(examples: Path) -> None:
    lines = (examples / "campaigns" / "newsletter.jsonl").read_text("utf-8").splitlines()

    written = letters(examples, "newsletter")

    for line, message in zip(lines, written, strict=True):
        token = json.loads(line)["token"]
        assert message["List-Id"] == "Field Notes <field-notes.example.com>"
        assert f"<https://example.com/unsubscribe/{token}>" in message["List-Unsubscribe"]
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert f"https://example.com/unsubscribe/{token}" in body(message, "plain")


def test_sms_code_fits_one_segment_each_and_leaves_no_number_as_it_was_written(
    examples: Path,
) -> None:
    checked = bulkmail(examples, "check", "sms-code")
    done = bulkmail(examples, "send", "sms-code", "--dry-run", "--out", "written")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 segment a message at most" in checked.stdout
    assert done.returncode == 0, done.stderr
    texts = {path.name: path.read_text("utf-8") for path in (examples / "written").rglob("*.txt")}
    assert set(texts) == {
        "000001-+8613800138000.txt",
        "000002-+8613912345678.txt",
        "000003-+8613700137000.txt",
    }
    assert all(text.startswith("【") and "验证码是" in text for text in texts.values())
