"""The letter as a page."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from report.test_letter import ENVELOPE, LOGO, message

from bulkmail.report.letter import Attachment, Letter
from bulkmail.report.page import as_page, letter_html

EVIL = '"><script>alert(1)</script><img src=x onerror="alert(1)">'


class Elements(HTMLParser):
    """What a browser would make of the outer page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_page_shows_the_letter_as_a_mail_program_does() -> None:
    page = Elements(as_page(Letter.parse(message()), ENVELOPE))

    (frame,) = page.all("iframe")
    assert "人事部 <people@example.com>" in page.words
    assert "MAIL FROM:<bounces@example.com>" in page.words
    assert "你好\n" in page.words
    assert [label["for"] for label in page.all("label")] == ["tab-html", "tab-text", "tab-headers"]
    assert f'src="data:image/png;base64,{base64.b64encode(LOGO).decode()}"' in str(frame["srcdoc"])
    assert 'src="cid:other"' in str(frame["srcdoc"])


def test_a_file_is_told_with_its_size_and_digest() -> None:
    page = Elements(as_page(Letter.parse(message()), ENVELOPE))

    assert "录用通知书.pdf" in page.words
    assert "attachment, application/pdf, 4.0 kB" in page.words
    assert hashlib.sha256(b"%PDF" * 1000).hexdigest() in page.words
    assert "image in the letter, image/png, 9 bytes" in page.words
    (logo, pdf) = page.all("a")
    assert (logo["download"], pdf["download"]) == ("logo.png", "录用通知书.pdf")
    assert str(pdf["href"]).startswith("data:application/octet-stream;base64,")


def test_nothing_of_the_letter_is_markup_of_the_page() -> None:
    harmless = Elements(as_page(letter_with("x"), ENVELOPE))
    page = Elements(as_page(letter_with(EVIL), ENVELOPE))

    (frame,) = page.all("iframe")
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert EVIL in str(frame["srcdoc"])
    assert page.words.count(EVIL) >= 5


def test_the_letter_has_no_permission_in_its_frame() -> None:
    page = as_page(letter_with(EVIL), ENVELOPE)

    (frame,) = Elements(page).all("iframe")
    assert frame["sandbox"] == ""
    for document in (page, str(frame["srcdoc"])):
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
        assert policy
        assert "default-src 'none'" in policy[1]
        assert "script-src" not in policy[1]


def test_a_letter_without_html_opens_with_its_text() -> None:
    page = Elements(as_page(Letter.parse(message(html=False)), ENVELOPE))

    assert not page.all("iframe")
    assert [box["id"] for box in page.all("input") if "checked" in box] == ["tab-text"]


def test_a_file_that_is_too_large_for_a_page_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkmail.report.page._MOST_IN_PAGE", 3999)

    page = Elements(as_page(Letter.parse(message()), ENVELOPE))

    assert "录用通知书.pdf" in page.words
    assert len(page.all("a")) == 1


def test_a_page_keeps_its_doctype_in_front() -> None:
    letter = Letter(headers=(), text=None, html="<!DOCTYPE html><p>x</p>", attachments=())

    assert letter_html(letter).startswith("<!DOCTYPE html><meta")
    assert "(no text part)" in as_page(letter, ENVELOPE)


def test_only_images_are_put_into_the_letter() -> None:
    mail = EmailMessage()
    mail.set_content('<img src="cid:a">', subtype="html")
    mail.add_related(b"<script>", "text", "html", cid="<a>", filename="a.html")

    assert 'src="cid:a"' in letter_html(Letter.parse(mail.as_bytes()))


def letter_with(text: str) -> Letter:
    """A letter that says `text` wherever it can."""
    file = Attachment(
        filename=text, type=f"image/{text}", content=b"x", content_id=html.escape(text)
    )
    headers = (("Subject", text), ("To", text), (text, text))
    return Letter(headers=headers, text=text, html=text, attachments=(file,))
