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

    def feed(self, chunk: bytes, *, is_base64: bool = False) -> None:
        """Take in the next part of the body; its lines end with CRLF.

        With `is_base64` nobody has to look for spaces in it.
        """
        start, end = _inner(chunk)
        if start == end:
            self._held += chunk
            return
        between = self._held + chunk[:start]
        if between:
            self._digest.update(_relaxed(between))
        has_space = not is_base64 and (b" " in chunk or b"\t" in chunk)
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


def relaxed_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and relaxed form, without a line end, of each field of a header section."""
    unfolded = header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in unfolded.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip(b" \t").lower()
            yield name, b"%s:%s" % (name, relaxed_value(value))


def relaxed_value(value: bytes) -> bytes:
    """A field's value in the relaxed form: one space where there was any, none at the ends."""
    return b" ".join(value.split())


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
