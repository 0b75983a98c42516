"""`must_contain:`, what a file's name and a PDF's text have to hold: whose file it is."""

from __future__ import annotations

import base64
import unicodedata
from pathlib import Path

from bulkmail.address import printable
from bulkmail.campaign.load import Campaign
from bulkmail.message.files.reader import FileBody
from bulkmail.message.pdf.text import NoText, is_pdf, is_readable, pages
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer


class MustContain:
    """One entry's, compiled."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._is_readable = is_readable()

    def is_named_so(self, row: Row, path: Path) -> bool:
        """Whether the file's name says whose it is; else `row` holds the fault."""
        text = self._renderer.line(row)
        if text is None:
            return False
        if not text:
            row.add(self._renderer.fault("is empty for this row: every file's name has that"))
            return False
        if _folded(text) in _folded(path.name):
            return True
        row.add(self._renderer.fault(f"`{printable(text)}` is not in the name {path.name}"))
        return False

    def says_so(self, row: Row, path: Path, file: FileBody) -> tuple[bool, str]:
        """Whether a PDF's text says the same, else `row` holds the fault; and what to remark.

        What has no text that could be read, a scan or a file with a password, is let go with a
        remark.
        """
        text = self._renderer.line(row)
        if text is None or not self._is_readable:
            return text is not None, ""
        content = base64.b64decode(file.body.content) if file.body.encoding == "base64" else b""
        if not is_pdf(content):
            return True, ""
        wanted, seen = _squeezed(text), ""
        try:
            for page in pages(content):
                # A name may go on behind a page break; what came before is short.
                seen += _squeezed(page)
                if wanted in seen:
                    return True, ""
        except NoText as reason:
            return True, f"`must_contain` was held against its name alone: it {reason}"
        if not seen:
            return True, "`must_contain` was held against its name alone: it has no text, as scans"
        row.add(self._renderer.fault(f"`{printable(text)}` is not in the text of {path.name}"))
        return False, ""


def text_notices(campaign: Campaign) -> tuple[str, ...]:
    """What a person should know who has `must_contain` and not what reads PDFs."""
    if is_readable() or not any(file.must_contain for file in campaign.model.attachments):
        return ()
    sentence = (
        "`must_contain` is held against the names of files. To hold it against the text of PDFs, "
        "too: pip install 'bulkmail[pdf]'"
    )
    return (sentence,)


def _folded(text: str) -> str:
    """For comparison: names come decomposed from some file systems, and in any case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _squeezed(text: str) -> str:
    """For comparison with a page, where lines break anywhere and letters are set as one (ﬁ)."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
