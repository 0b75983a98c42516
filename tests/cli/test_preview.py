from __future__ import annotations

import io
import stat
import sys
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.commandline import Cli, Fake, Recorder
from support.watching import delivery

from bulkmail.app.previewing import Preview
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.smtp.envelope import Envelope

pytestmark = pytest.mark.usefixtures("project")

CONTENT = (
    b"From: you@example.com\r\nTo: li@example.com\r\nSubject: =?utf-8?b?5L2g5aW9?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n"
)


@pytest.fixture
def preview(fake: Fake) -> Recorder:
    envelope = Envelope("you@example.com", ("li@example.com",))
    recorder = Recorder(Preview(delivery=delivery(), envelope=envelope, content=CONTENT))
    fake("previewing", preview=recorder)
    return recorder


def test_the_message_is_shown(cli: Cli, preview: Recorder) -> None:
    result = cli("preview", "hello")

    assert result.code == 0
    assert "Subject: 你好\n" in result.out
    assert result.out.endswith("\nHello.\n")
    assert "bulkmail send hello --test-to" in result.err
    assert preview.calls[0][1] == {"row": None, "email": None}


def test_a_recipient_can_be_chosen(cli: Cli, preview: Recorder) -> None:
    cli("preview", "hello", "--row", "3")
    cli("preview", "hello", "--email", "ada@example.com")

    assert [options for _, options in preview.calls] == [
        {"row": 3, "email": None},
        {"row": None, "email": "ada@example.com"},
    ]


@pytest.mark.usefixtures("preview")
def test_raw_is_the_bytes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", stdout)

    assert cli("preview", "hello", "--raw").code == 0

    stdout.seek(0)
    assert stdout.buffer.read() == CONTENT


@pytest.mark.usefixtures("preview")
def test_the_page_is_opened_and_its_owners_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_page(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)

    result = cli("preview", "hello", "--browser")

    page = Path(urlsplit(opened[0]).path)
    assert f"Page: {page}" in result.out
    assert "Hello." in page.read_text("utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    page.unlink()


@pytest.mark.usefixtures("preview")
def test_without_a_browser_the_page_is_still_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda _url: False)

    result = cli("preview", "hello", "--browser")

    assert result.code == 0
    assert "open the page by hand" in result.err


@pytest.mark.usefixtures("preview")
@pytest.mark.parametrize(
    "arguments", [["--row", "1", "--email", "a@example.com"], ["--raw", "--browser"]], ids=" ".join
)
def test_what_contradicts_exits_2(cli: Cli, arguments: list[str]) -> None:
    assert cli("preview", "hello", *arguments).code == 2


def test_a_row_that_is_not_there_exits_2(cli: Cli, preview: Recorder) -> None:
    preview.error = ConfigurationError(Fault(message="there is no row 99"))

    result = cli("preview", "hello", "--row", "99")

    assert (result.code, result.err) == (2, "there is no row 99\n")
