"""What is worth knowing about a message before it goes out: no fault, and rarely meant.

Facts only, each from the message's own bytes: nothing here guesses what a spam filter thinks.
"""

from __future__ import annotations

import email.policy
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from html.parser import HTMLParser
from urllib.parse import urlsplit

from bulkmail.message.mail_object import MailObject

#: Longest subject in one line of RFC 5322 (2.1.1); phones show half of it.
MAX_SUBJECT = 78
#: Gmail shows the first 102 kB of a message's HTML, and a link to the rest.
MAX_HTML = 100_000
#: The texts come first in a message; of what is larger, attachments are what is left.
_LOOKED_AT = 600_000
_SHOWN = 60
_CONTENT_ID = re.compile(rb"^Content-ID: <([^>\r\n]+)>", re.MULTILINE)
#: Marks of templates, and what other programs have in their place. Each alternative begins with a
#: character of its own, so that the text between is passed by at once.
_UNRENDERED = re.compile(
    r"\{\{[^}\r\n]{0,40}(?:\}\})?|\{%[^%\r\n]{0,40}(?:%\})?|\{[^\W\d][\w -]{0,40}\}"
    r"|\$\{[^\W\d][\w -]{0,40}\}|\[\[[^\W\d][\w -]{0,40}\]\]|\*\|\w{1,40}\|\*"
)
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  # looked for, not bound
_OF_LISTS = ("list-id", "list-unsubscribe")


def lint(mail: MailObject) -> tuple[str, ...]:
    """Sentences about `mail`, each once. Never raises for what a message can be."""
    # Of a file, which may be large, nothing is said here but how its part begins.
    files = {id(file.body) for file in mail.files}
    content = b"".join([chunk for chunk in mail.chunks if id(chunk) not in files])
    # The policy that takes nothing apart unasked: a tenth of the other one's time.
    parser = BytesParser(policy=email.policy.compat32)
    message = parser.parsebytes(content[:_LOOKED_AT])
    cids = {cid.decode("ascii", "replace") for cid in _CONTENT_ID.findall(content)}
    remarks = (file.remark for file in mail.files if file.remark)
    return tuple(dict.fromkeys([*_sentences(message, cids), *remarks]))


def _sentences(message: Message, cids: set[str]) -> Iterator[str]:
    subject = _field(message, "subject")
    if len(subject) > MAX_SUBJECT:
        yield f"the subject has more than {MAX_SUBJECT} characters; most programs cut it"
    if not subject:
        yield "the subject is empty"
    if left := _UNRENDERED.search(subject):
        yield f"the subject has `{left[0]}` in it: was a template meant?"
    page = _Page()
    for subtype in ("plain", "html"):
        text = _body(message, subtype)
        if text is None:
            continue
        name = "HTML" if subtype == "html" else "text"
        if left := _UNRENDERED.search(text):
            yield f"the {name} has `{left[0]}` in it: was a template meant?"
        if subtype == "html":
            if len(text.encode()) > MAX_HTML:
                yield "the HTML has more than 100 kB; Gmail shows the first 102 kB"
            page.feed(text)
            page.close()
    yield from _of_images(page, cids)
    yield from _of_links(page)
    yield from _of_leaving(message, page)


def _of_images(page: _Page, cids: set[str]) -> Iterator[str]:
    for source, has_alt in page.images:
        shown = _shortened(source)
        if source.lower().startswith("cid:"):
            if source[4:] not in cids:
                yield f"the HTML shows {shown}, and no image of that name comes along"
        elif source.lower().startswith("data:"):
            yield "the HTML has an image within itself (data:); Gmail and Outlook do not show it"
        elif not source.lower().startswith(("http://", "https://")):
            yield f"the HTML shows `{shown}`, which no reader can load"
        if not has_alt:
            yield "the HTML has an image without alt text; many readers see that first"


def _of_links(page: _Page) -> Iterator[str]:
    sources = (source for source, _ in page.images)
    for target in (*page.links, *sources):
        try:
            parts = urlsplit(target)
            host = parts.hostname or ""
        except ValueError:
            yield f"`{_shortened(target)}` is no link"
            continue
        if host in _OWN_MACHINE or host.endswith(".localhost"):
            yield f"a link leads to the reader's own machine: {_shortened(target)}"
        elif parts.scheme == "http":
            yield f"a link is not encrypted (http): {_shortened(target)}"
        elif target in page.links and not parts.scheme and not target.startswith("#"):
            yield f"a link leads nowhere from a mail: `{_shortened(target)}`"


def _of_leaving(message: Message, page: _Page) -> Iterator[str]:
    precedence = _field(message, "precedence").lower()
    is_of_list = any(name in message for name in _OF_LISTS) or precedence in {"bulk", "list"}
    if not is_of_list:
        return
    way_out = _field(message, "list-unsubscribe")
    if not way_out:
        yield "it is a list's letter without List-Unsubscribe; big providers ask for that"
    written = re.findall(r"<([^>]+)>", way_out)
    text = _body(message, "plain") or ""
    shown = [target for target in written if target in page.links or target in text]
    words = ("unsubscribe", "退订", "abmelden", "désabonner")
    if not shown and not any(word in text.lower() for word in words):
        yield "nothing in the text says how to unsubscribe"


def _field(message: Message, name: str) -> str:
    """A header field's value, decoded; "" where there is none."""
    value = message[name]
    if value is None:
        return ""
    return str(email.policy.default.header_fetch_parse(name, str(value).lstrip(" \t\r\n")))


def _body(message: Message, subtype: str) -> str | None:
    """The text of that kind that a reader is shown; None where there is none."""
    for part in message.walk():
        if (
            part.get_content_type() == f"text/{subtype}"
            and part.get_content_disposition() != "attachment"
        ):
            content = part.get_payload(decode=True)
            return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    return None


def _shortened(text: str) -> str:
    """What it begins with: the rest is often one reader's own."""
    text = text.partition("?")[0]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _Page(HTMLParser):
    """The links and images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, None] = {}
        #: Sources, and whether there is an alt text (which may be empty: a decoration).
        self.images: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a" and (target := (attributes.get("href") or "").strip()):
            self.links[target] = None
        elif tag == "img":
            self.images.append(((attributes.get("src") or "").strip(), "alt" in attributes))
