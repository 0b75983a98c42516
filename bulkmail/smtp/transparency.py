"""Dot stuffing and line ends (RFC 5321, 4.5.2 and 2.3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def stuff(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content as it goes behind 354, without the final dot's line: each leading dot doubled.

    Lines end in CRLF already; where the last one does not, a CRLF is added. A chunk without a
    line that begins with a dot is passed on as the same object.
    """
    raise NotImplementedError


def normalised(content: bytes) -> bytes:
    """`content` with every line end (CRLF, a lone LF or CR) as CRLF, and one at its end."""
    raise NotImplementedError
