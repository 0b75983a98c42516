"""DKIM's relaxed canonical form: what a relay may change without breaking a signature.

RFC 6376, 3.4.2 and 3.4.4. The body is taken chunk by chunk, cut anywhere; a chunk without a space
in it (a file in base64) is canonical as it stands and only hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

_SPACE = b" \t\r\n"


class BodyHash:
    """SHA-256 over a body in the relaxed form."""

    __slots__ = ("_digest", "_held", "_is_empty")

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        #: Space at the end of what was fed: what it becomes hangs on what follows.
        self._held = b""
        self._is_empty = True

    def feed(self, chunk: bytes) -> None:
        """Take in the next part of the body; its lines end with CRLF."""
        start, end = _inner(chunk)
        if start == end:
            self._held += chunk
            return
        between = self._held + chunk[:start]
        if between:
            self._digest.update(_relaxed(between))
        has_space = b" " in chunk or b"\t" in chunk
        self._digest.update(
            _relaxed(chunk[start:end]) if has_space else memoryview(chunk)[start:end]
        )
        self._held = chunk[end:]
        self._is_empty = False

    def digest(self) -> bytes:
        """The hash of what was fed: empty lines at the end do not count, one CRLF is there."""
        whole = self._digest.copy()
        if not self._is_empty:
            whole.update(b"\r\n")
        return whole.digest()


def relaxed_field(field: bytes) -> bytes:
    """A header field, folds and all, without its last CRLF, in the relaxed form."""
    name, _, value = field.partition(b":")
    words = value.replace(b"\r\n", b"").split()
    return name.rstrip(b" \t").lower() + b":" + b" ".join(words)


def header_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name in lower case and the field, without its last CRLF, for each field of a section."""
    lines = header.split(b"\r\n")
    field = lines[0]
    for line in lines[1:]:
        if line[:1] in {b" ", b"\t"}:
            field = b"%s\r\n%s" % (field, line)
            continue
        yield field.partition(b":")[0].lower(), field
        field = line
    if field:
        yield field.partition(b":")[0].lower(), field


def _inner(chunk: bytes) -> tuple[int, int]:
    """Where the first octet that is no space stands, and where the last one ends."""
    start, end = 0, len(chunk)
    while start < end and chunk[start] in _SPACE:
        start += 1
    while end > start and chunk[end - 1] in _SPACE:
        end -= 1
    return start, end


def _relaxed(octets: bytes) -> bytes:
    octets = octets.replace(b"\t", b" ")
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets.replace(b" \r\n", b"\r\n")
