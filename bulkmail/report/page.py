"""A letter as a page, laid out as a mail program does it: headers, HTML and text, files.

Nothing in it runs. The page has no script, and its policy allows none; tabs are radio buttons. The
letter's HTML is in a frame of its own, sandboxed without any permission: no scripts, no forms, no
way to change the page around it. Everything else that comes from the letter is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from importlib import resources
from urllib.parse import unquote

from bulkmail.report.letter import Attachment, Letter
from bulkmail.report.wording import size
from bulkmail.smtp.envelope import Envelope

#: The headers at the top, in this order; all of them are behind a tab.
_SHOWN = ("from", "sender", "to", "cc", "reply-to", "date")
#: Larger files are told of and not put into the page.
_MOST_IN_PAGE = 8_000_000

_CID = re.compile(r"cid:([^\"'\s)>]+)")
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)

#: Pictures and styles it may load, as mail programs do.
_POLICY = (
    '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src'
    " 'none'; img-src data: https: http:; style-src 'unsafe-inline' https:; font-src https: data:;"
    " form-action 'none'; base-uri 'none'"
    '">'
)


def as_page(letter: Letter, envelope: Envelope) -> str:
    """The whole page, complete in itself: images and files are inside it."""
    subject = letter.header("subject") or "(no subject)"
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head>{_POLICY}',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_safe(subject)}</title>",
            f"<style>{resources.files(__package__).joinpath('page.css').read_text('utf-8')}</style>",
            "</head><body><main>",
            f"<header><h1>{_safe(subject)}</h1>",
            _listed((name, value) for name, value in letter.headers if name.lower() in _SHOWN),
            f'<p class="envelope">{_safe(_path(envelope))}</p></header>',
            *_files(letter.attachments),
            *_tabs(letter),
            "</main></body></html>",
            "",
        ]
    )


def _path(envelope: Envelope) -> str:
    paths = ", ".join(f"<{path}>" for path in envelope.forward_paths)
    return f"MAIL FROM:<{envelope.reverse_path}>  RCPT TO:{paths}"


def _tabs(letter: Letter) -> Iterator[str]:
    """The radio buttons, and behind them what each shows: in one parent, for the style sheet."""
    panels = {"html": "HTML", "text": "Text", "headers": "Headers"}
    if letter.html is None:
        del panels["html"]
    first = next(iter(panels))
    for name, label in panels.items():
        checked = " checked" if name == first else ""
        yield f'<input type="radio" name="tab" id="tab-{name}"{checked}>'
        yield f'<label for="tab-{name}">{label}</label>'
    if letter.html is not None:
        page = html.escape(letter_html(letter))
        yield '<section class="html">'
        yield f'<iframe title="The letter" sandbox="" srcdoc="{page}"></iframe></section>'
    text = "(no text part)" if letter.text is None else letter.text.replace("\r\n", "\n")
    yield f'<section class="text"><pre>{_safe(text)}</pre></section>'
    yield f'<section class="headers">{_listed(letter.headers)}</section>'


def letter_html(letter: Letter) -> str:
    """The letter's HTML as a page of its own, its images inside it."""
    images = {
        file.content_id: _data_uri(file)
        for file in letter.attachments
        if file.content_id and file.type.startswith("image/")
    }
    page = _CID.sub(lambda match: images.get(unquote(match[1]), match[0]), letter.html or "")
    place = _HEAD.search(page) or _DOCTYPE.match(page)
    at = place.end() if place else 0
    return page[:at] + _POLICY + page[at:]


def _files(files: tuple[Attachment, ...]) -> Iterator[str]:
    if not files:
        return
    yield '<ul class="files">'
    for file in files:
        place = "image in the letter" if file.content_id else "attachment"
        name = _safe(file.shown_name)
        facts = _safe(f"{place}, {file.type}, {size(len(file.content))}")
        digest = hashlib.sha256(file.content).hexdigest()
        yield f"<li><b>{name}</b> {_download(file)}<small>{facts}<br>"
        yield f"SHA-256 <code>{digest}</code></small></li>"
    yield "</ul>"


def _download(file: Attachment) -> str:
    """A link to save the file: it is never shown by the browser itself."""
    if len(file.content) > _MOST_IN_PAGE:
        return ""
    address = _data_uri(file, "application/octet-stream")
    return f'<a href="{address}" download="{_safe(file.filename or "file")}">save</a>'


def _listed(pairs: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str:
    rows = (f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in pairs)
    return f"<dl>{''.join(rows)}</dl>"


def _safe(text: str) -> str:
    return html.escape(text)


def _data_uri(file: Attachment, media_type: str = "") -> str:
    octets = base64.b64encode(file.content).decode("ascii")
    return f"data:{html.escape(media_type or file.type)};base64,{octets}"
