"""The text of a PDF, by PDFium (extra `pdf`): a page takes it a millisecond or two.

Not for threads: PDFium knows none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from bulkmail.message.extra import extra

_MODULE = "pypdfium2"
_MARK = b"%PDF-"
#: Where the mark may stand: some programs put a few octets in front (ISO 32000-1, annex H.3.4.1).
_MARK_WITHIN = 1024


class NoText(Exception):
    """Nothing can be said about what stands in it; the sentence says why."""


def is_pdf(content: bytes) -> bool:
    """Whether it calls itself one."""
    return _MARK in content[:_MARK_WITHIN]


def is_readable() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec(_MODULE) is not None


def pages(content: bytes) -> Iterator[str]:
    """The text of one page after the other; a page that is a picture has none.

    Raises `NoText` for what cannot be opened, as with a password; `MissingExtra`.
    """
    pdfium = extra(_MODULE, "the text of a PDF", "pdf")
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        raise NoText("cannot be opened as a PDF, or not without a password") from error
    try:
        for number in range(len(document)):
            page = document[number].get_textpage()
            yield page.get_text_range()
            page.close()
    except pdfium.PdfiumError as error:
        raise NoText("has a page that cannot be read") from error
    finally:
        document.close()
