"""Dot stuffing and line ends (RFC 5321, 4.5.2 and 2.3.8).

Stuffing is incremental: content comes in chunks cut anywhere, so the last two octets are carried
from one chunk to the next. A chunk costs one search; most have no line that begins with a dot, and
are passed on without a copy (a shared attachment's bytes are the same object for every recipient).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import IncrementalNewlineDecoder

_CRLF = b"\r\n"


def stuff(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content as it goes behind 354, without the final dot's line: each leading dot doubled.

    Lines end in CRLF already; where the last one does not, a CRLF is added. A chunk without a
    line that begins with a dot is passed on as the same object. No content gives nothing.
    """
    tail = _CRLF  # The content begins at the beginning of a line.
    for chunk in chunks:
        if not chunk:
            continue
        if tail == _CRLF and chunk.startswith(b"."):
            yield b"."
        stuffed = chunk.replace(b"\r\n.", b"\r\n..") if b"\r\n." in chunk else chunk
        if tail.endswith(b"\r") and chunk.startswith(b"\n."):
            stuffed = b"\n." + stuffed[1:]
        yield stuffed
        tail = chunk[-2:] if len(chunk) > 1 else tail[-1:] + chunk
    if tail != _CRLF:
        yield _CRLF


def has_leading_dot(content: bytes) -> bool:
    """Whether a line of it, which ends in CRLF, begins with a dot: else `stuff` changes nothing."""
    # From the end it is looked for in less than half the time.
    return content.rfind(b"\r\n.") >= 0 or content.startswith(b".")


def normalised(content: bytes) -> bytes:
    """`content` with every line end (CRLF, a lone LF or CR) as CRLF, and one at its end.

    Content that is so already is returned as the same object.
    """
    # What looks for line ends in text is the quickest there is to look at each of them once.
    seen = IncrementalNewlineDecoder(None, translate=False)
    seen.decode(str(content, "latin-1"), final=True)
    if seen.newlines != "\r\n":
        content = content.replace(_CRLF, b"\n").replace(b"\r", b"\n").replace(b"\n", _CRLF)
    return content if content.endswith(_CRLF) else content + _CRLF
