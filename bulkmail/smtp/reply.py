"""Replies and their parser (RFC 5321, 4.2; enhanced status codes: RFC 2034, 3463).

The parser takes bytes cut anywhere and gives whole replies. It keeps bounds of its own on a line,
a reply and on what is pending, as a server may be hostile: beyond them it raises
`ProtocolViolation`, and nothing else is ever raised. It accepts what servers do in the wild:
LF alone as line end, a code without text, text that is not UTF-8 (kept readable).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from bulkmail.errors import ProtocolViolation

#: Longest reply line we accept. RFC 5321 (4.5.3.1.5) allows 512 octets; servers exceed it.
MAX_LINE_BYTES = 4096
#: Longest reply we accept, all lines together. Real EHLO replies stay far below 4 kB.
MAX_REPLY_BYTES = 65536

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)")


class Severity(enum.IntEnum):
    """The first digit of a reply code (RFC 5321, 4.2.1)."""

    POSITIVE_COMPLETION = 2
    POSITIVE_INTERMEDIATE = 3
    TRANSIENT_NEGATIVE = 4
    PERMANENT_NEGATIVE = 5


@dataclass(frozen=True, slots=True)
class EnhancedStatusCode:
    """class.subject.detail (RFC 3463)."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said to one command (RFC 5321, 4.2). `lines` are without code and CRLF."""

    code: int
    lines: tuple[str, ...]
    enhanced: EnhancedStatusCode | None = None

    @property
    def severity(self) -> Severity:
        """The reply's first digit."""
        return Severity(self.code // 100)

    @property
    def is_positive(self) -> bool:
        """2yz: done."""
        return self.code // 100 == Severity.POSITIVE_COMPLETION

    @property
    def is_intermediate(self) -> bool:
        """3yz: go on."""
        return self.code // 100 == Severity.POSITIVE_INTERMEDIATE

    @property
    def is_transient(self) -> bool:
        """4yz: it may work later."""
        return self.code // 100 == Severity.TRANSIENT_NEGATIVE

    @property
    def is_permanent(self) -> bool:
        """5yz: it will not work."""
        return self.code // 100 == Severity.PERMANENT_NEGATIVE

    @property
    def is_closing(self) -> bool:
        """421: the server closes the channel, whatever the command was (RFC 5321, 3.8)."""
        return self.code == 421  # noqa: PLR2004  # the one code RFC 5321 gives to it

    @property
    def text(self) -> str:
        """All lines, joined by one space each."""
        return " ".join(line for line in self.lines if line)

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def _readable(raw: bytes) -> str:
    """Text of a reply line: UTF-8 where it is, else byte for byte; control characters escaped."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


class ReplyParser:
    """Bytes in, replies out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code = 0
        self._lines: list[str] = []
        self._reply_bytes = 0

    @property
    def pending(self) -> bool:
        """Whether bytes of an unfinished reply are held."""
        return bool(self._buffer or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes as they came; return the replies they complete, in order.

        Raises `ProtocolViolation` for what is no reply or passes a bound; the parser is then of
        no further use.
        """
        self._buffer += data
        replies: list[Reply] = []
        start = 0
        while (end := self._buffer.find(b"\n", start)) >= 0:
            if end - start > MAX_LINE_BYTES:
                raise ProtocolViolation(f"a reply line of more than {MAX_LINE_BYTES} bytes")
            reply = self._line(bytes(self._buffer[start:end]).removesuffix(b"\r"))
            start = end + 1
            if reply is not None:
                replies.append(reply)
        del self._buffer[:start]
        if len(self._buffer) > MAX_LINE_BYTES:
            raise ProtocolViolation(f"a reply line of more than {MAX_LINE_BYTES} bytes")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        match = _LINE.fullmatch(line)
        if match is None or (not match[2] and match[3]):
            raise ProtocolViolation(f"not an SMTP reply: {_readable(line[:200])!r}")
        code = int(match[1])
        if self._lines and code != self._code:
            raise ProtocolViolation(f"a reply that begins with {self._code} goes on with {code}")
        self._code = code
        self._reply_bytes += len(line)
        if self._reply_bytes > MAX_REPLY_BYTES:
            raise ProtocolViolation(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        self._lines.append(_readable(match[3]))
        if match[2] == b"-":
            return None
        reply = Reply(code, tuple(self._lines), _enhanced(code, self._lines[0]))
        self._lines = []
        self._reply_bytes = 0
        return reply


def _enhanced(code: int, text: str) -> EnhancedStatusCode | None:
    match = _ENHANCED.match(text)
    if match is None or int(match[1]) != code // 100:
        return None
    return EnhancedStatusCode(int(match[1]), int(match[2]), int(match[3]))
