"""Content-Transfer-Encoding, chosen by content and never by what a server offers (RFC 2045, 6).

So a message is the same bytes for every server, in a dry run and under a signature. Text is 7bit
where it is plain ASCII in lines that no relay touches, else quoted-printable or base64, whichever
is shorter. Files are base64, which keeps every byte; quoted-printable would put their line ends at
the mercy of the reader.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable
from functools import cache, cached_property, lru_cache, partial
from typing import NamedTuple

#: Longest line that goes out as it is. RFC 5322 allows 998; sendmail's default (`L=990`, line end
#: included) breaks a longer one with an exclamation mark in the middle of an HTML tag.
MAX_PLAIN_LINE = 988

_BASE64_LINE = _QUOTED_LINE = 76
#: What a line of it holds.
_BASE64_OCTETS = 57
#: Base64 lines that are cut at a time.
_LINES = 256
#: Octets up to which all of them are.
_LETTER = _BASE64_OCTETS * _LINES
#: Octets by which base64 may be longer for want of a whole group or line at its end.
_BEGUN = 16
#: Octets that are encoded at a time; whole lines.
_PIECE = _BASE64_OCTETS * 4096
_PLAIN = bytes((0x09, 0x0A, *range(0x20, 0x7F)))
_QP_PLAIN = bytes(octet for octet in _PLAIN if octet != ord("="))
#: What every boundary of ours begins with: a plain part holds no line like it (message/frame.py),
#: quoted-printable escapes the sign, base64 does not know it.
BOUNDARY_MARK = b"=_"
#: As a number: to look for octets in octets, Python makes an error first.
_CR = ord("\r")


class Encoded(NamedTuple):
    """A part's body on the wire."""

    #: ``7bit``, ``quoted-printable`` or ``base64``.
    encoding: str
    #: Lines ended by CRLF; 7-bit.
    content: bytes
    #: Whether a line begins with a dot.
    has_dot_line: bool = False


#: The header field that says so, by encoding.
ENCODING_FIELDS = {
    encoding: f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii")
    for encoding in ("7bit", "quoted-printable", "base64")
}


def plain(content: bytes) -> Encoded:
    """`content` as it is; `is_plain_content` has said yes."""
    return Encoded("7bit", content, _has_dot_line(content))


def is_plain_content(content: bytes) -> bool:
    """Whether `content` can go out as 7bit and arrive byte for byte: CRLF line ends only."""
    lines = content.replace(b"\r\n", b"\n")
    return lines.count(b"\n") == content.count(b"\r\n") and _is_plain(lines)


def base64_lines(content: bytes, behind: bytes = b"") -> Encoded:
    """`content` in base64, lines of 76 ended by CRLF (RFC 2045, 6.8), and what is encoded behind.

    Before that `content` is whole lines.
    """
    if len(content) <= _LETTER:
        encoded = binascii.b2a_base64(content, newline=False)
        lines = b"\r\n".join(_cut_whole(len(encoded))(encoded))
        # As `Encoded(...)` does it, behind a call in Python.
        return tuple.__new__(Encoded, ("base64", lines + behind, False))
    # Piece by piece: a large file in lines, each an object of its own, would take thrice its size.
    view = memoryview(content)
    pieces = (view[start : start + _PIECE] for start in range(0, len(content), _PIECE))
    return Encoded("base64", b"".join(map(_base64, pieces)) + behind)


def _base64(content: bytes | memoryview) -> bytes:
    encoded = binascii.b2a_base64(content, newline=False)
    lines: list[bytes] = []
    whole = len(encoded) // _BASE64_LINE
    for at in range(0, whole, _LINES):
        lines += _cut(min(_LINES, whole - at)).unpack_from(encoded, at * _BASE64_LINE)
    if rest := encoded[whole * _BASE64_LINE :]:
        lines.append(rest)
    lines.append(b"")
    return b"\r\n".join(lines)


@lru_cache(maxsize=_LINES)
def _cut_whole(size: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """Cuts so many octets into lines in one go, with nothing as the last one."""
    whole, rest = divmod(size, _BASE64_LINE)
    return struct.Struct(f"{_BASE64_LINE}s" * whole + (f"{rest}s0s" if rest else "0s")).unpack


@lru_cache(maxsize=_LINES)
def _cut(lines: int) -> struct.Struct:
    """Cuts so many lines in one go."""
    return struct.Struct(f"{_BASE64_LINE}s" * lines)


def _has_dot_line(content: bytes) -> bool:
    return content.startswith(b".") or content.find(b"\n.") >= 0


def _is_plain(lines: bytes) -> bool:
    """Whether `lines`, LF between them, need no encoding and cannot be taken for a boundary."""
    if lines.translate(None, _PLAIN):
        return False
    if lines.startswith(b"--" + BOUNDARY_MARK) or b"\n--" + BOUNDARY_MARK in lines:
        return False
    return len(lines) <= MAX_PLAIN_LINE or max(map(len, lines.split(b"\n"))) <= MAX_PLAIN_LINE


def _ended(octets: bytes) -> bytes:
    """Lines that each end with LF."""
    if _CR in octets:
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return octets if octets.endswith(b"\n") else octets + b"\n"


def _escapes(lines: bytes) -> int:
    return len(lines.translate(None, _QP_PLAIN))


def _quoted(lines: bytes) -> bytes:
    """In quoted-printable (RFC 2045, 6.7)."""
    quoted = binascii.b2a_qp(lines, istext=True)
    if b"=20\n" in quoted or b"=09\n" in quoted:
        # A blank at a line's end becomes three octets once the line was measured.
        quoted = b"\n".join(map(_folded, quoted.split(b"\n")))
    return quoted.replace(b"\n", b"\r\n")


def _folded(line: bytes) -> bytes:
    """A quoted line that the escape at its end makes too long, with a soft break before that."""
    return line if len(line) <= _QUOTED_LINE else line[:-3] + b"=\n" + line[-3:]


class TextEnd:
    """How many texts end, from the beginning of a line on: encoded once for all of them.

    In base64 that is once for each place of a line at which it can begin: `parted` gives what
    fills the line up, of so many octets, and the rest encoded.
    """

    def __init__(self, text: str = "") -> None:
        """Empty, or whole lines: where `text` does not end with one, a line end is added."""
        # Of a template's text that is half a character nothing is made.
        octets = text.encode("utf-8", "surrogatepass")
        #: With line ends that are LF alone.
        self.lines = _ended(octets) if octets else b""
        self.content = self.lines.replace(b"\n", b"\r\n")
        #: Octets beyond one a character, at the least.
        self.excess = len(octets) - len(text)
        self.is_plain = _is_plain(self.lines)
        self.begins_line_with_dot = _has_dot_line(self.content)
        self.size = len(self.content)
        self.parted = cache(partial(_parted, self.content))

    @cached_property
    def escapes(self) -> int:
        """How many octets quoted-printable writes as three."""
        return _escapes(self.lines)

    @cached_property
    def quoted(self) -> bytes:
        """In quoted-printable, in which each line is encoded by itself."""
        return _quoted(self.lines)


def _parted(content: bytes, octets: int) -> tuple[bytes, bytes]:
    return content[:octets], base64_lines(content[octets:]).content


_NO_END = TextEnd()


class BodyText(NamedTuple):
    """A text body in UTF-8, to be encoded."""

    #: With any line ends; whole lines where there is an end of its own behind.
    octets: bytes
    #: How many more `octets` there are than characters, at the least.
    excess: int
    #: What it has in common with others.
    end: TextEnd = _NO_END
    #: Whether it is known that there is no ``<img`` in it.
    is_without_images: bool = False

    @classmethod
    def of(cls, text: str) -> BodyText:
        """Raises `UnicodeEncodeError` for half of a surrogate pair."""
        octets = text.encode()
        return cls(octets, len(octets) - len(text))

    def decode(self) -> str:
        """The whole text."""
        return (self.octets + self.end.lines).decode()


def encode_text(text: BodyText) -> Encoded:
    """A text body: every line end (CRLF, a lone CR or LF) as CRLF, one at its end."""
    lines, excess, end, _ = text
    if _CR in lines or not lines.endswith(b"\n"):
        lines = _ended(lines)
    content = lines.replace(b"\n", b"\r\n")
    excess += end.excess
    if not excess and end.is_plain and _is_plain(lines):
        has_dot_line = end.begins_line_with_dot or _has_dot_line(content)
        return Encoded("7bit", content + end.content, has_dot_line)
    size = len(content) + end.size
    # Octets beyond ASCII are at least 4/3 of those that UTF-8 takes more than there are characters,
    # each two octets longer when quoted; base64 makes all of it longer by 0.37. So much of what is
    # written is ruled out by its length.
    if 7 * excess <= size + _BEGUN:
        encoded = (size + 2) // 3 * 4
        base64_size = encoded + 2 * -(-encoded // _BASE64_LINE)
        if size + 2 * (_escapes(lines) + end.escapes) <= base64_size:
            quoted = _quoted(lines) + end.quoted
            if len(quoted) <= base64_size:
                return Encoded("quoted-printable", quoted, _has_dot_line(quoted))
    first, rest = end.parted(-len(content) % _BASE64_OCTETS)
    return base64_lines(content + first, rest)
