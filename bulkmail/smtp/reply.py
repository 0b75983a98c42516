"""Replies and their parser (RFC 5321, 4.2; enhanced status codes: RFC 2034, 3463).

The parser takes bytes cut anywhere and gives whole replies. It keeps bounds of its own on a line,
a reply and on what is pending, as a server may be hostile: beyond them it raises
`ProtocolViolation`, and nothing else is ever raised. It accepts what servers do in the wild:
LF alone as line end, a code without text, text that is not UTF-8 (kept readable). Replies are
given one by one, so that those before a violation are not lost, wherever the bytes were cut.

A server says the same few lines over and over: those of one line are parsed once.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from bulkmail.errors import ProtocolViolation
from bulkmail.smtp.readable import readable
from bulkmail.value_class import value_class

#: Longest reply line we accept. RFC 5321 (4.5.3.1.5) allows 512 octets; servers exceed it.
MAX_LINE_BYTES = 4096
#: Longest reply we accept, all lines together. Real EHLO replies stay far below 4 kB.
MAX_REPLY_BYTES = 65536
#: The one code that RFC 5321, 3.8 gives to a server that closes.
CLOSING = 421
#: Replies of one line that are remembered; with one more all are forgotten.
_REMEMBERED = 64

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
#: A second reply in one line, behind a lone CR: which command it answers, nobody could tell.
_SECOND = re.compile(rb"\r[2-5][0-9][0-9](?:[ \r-]|$)")
_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:\s|$)")


class Severity(enum.IntEnum):
    """The first digit of a reply code (RFC 5321, 4.2.1)."""

    POSITIVE_COMPLETION = 2
    POSITIVE_INTERMEDIATE = 3
    TRANSIENT_NEGATIVE = 4
    PERMANENT_NEGATIVE = 5

    # Looked up for every reply, where Enum's own hash is a call in Python.
    __hash__ = int.__hash__


_SEVERITIES = {int(severity): severity for severity in Severity}


@value_class
class EnhancedStatusCode:
    """class.subject.detail (RFC 3463)."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"


@value_class
class Reply:
    """What the server said to one command (RFC 5321, 4.2). `lines` are without code and CRLF."""

    code: int
    lines: tuple[str, ...]
    enhanced: EnhancedStatusCode | None = None
    # What is asked of nearly every reply, and of the same one many times.
    #: 2yz: done.
    is_positive: bool = field(init=False, repr=False, compare=False)
    #: 3yz: go on.
    is_intermediate: bool = field(init=False, repr=False, compare=False)
    #: ``5.1.1``; None where there is none.
    enhanced_code: str | None = field(init=False, repr=False, compare=False)
    #: All lines, joined by one space each; an enhanced code that each repeats stands once.
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        digit = self.code // 100
        object.__setattr__(self, "is_positive", digit == Severity.POSITIVE_COMPLETION)
        object.__setattr__(self, "is_intermediate", digit == Severity.POSITIVE_INTERMEDIATE)
        code = None if self.enhanced is None else str(self.enhanced)
        object.__setattr__(self, "enhanced_code", code)
        object.__setattr__(self, "text", self._joined())

    @property
    def severity(self) -> Severity:
        """The reply's first digit."""
        return _SEVERITIES[self.code // 100]

    @property
    def is_transient(self) -> bool:
        """4yz: it may work later."""
        return 400 <= self.code < 500  # noqa: PLR2004  # the first digit

    @property
    def is_permanent(self) -> bool:
        """5yz: it will not work."""
        return 500 <= self.code < 600  # noqa: PLR2004  # as above

    @property
    def is_closing(self) -> bool:
        """421: the server closes the channel, whatever the command was (RFC 5321, 3.8)."""
        return self.code == CLOSING

    def _joined(self) -> str:
        if len(self.lines) == 1:
            return self.lines[0].strip()
        first, *rest = self.lines or ("",)
        prefix = f"{self.enhanced_code} " if self.enhanced_code else ""
        lines = [first, *(line.removeprefix(prefix) for line in rest)]
        return " ".join(line.strip() for line in lines if line.strip())

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class ReplyParser:
    """Bytes in, replies out."""

    def __init__(self) -> None:
        #: Lines that were not looked at yet, and one without its end.
        self._unread: deque[bytes] = deque()
        self._rest = b""
        self._code = 0
        self._lines: list[str] = []
        self._reply_bytes = 0
        #: Replies of one line, by that line.
        self._known: dict[bytes, Reply] = {}

    @property
    def pending(self) -> bool:
        """Whether bytes of an unfinished reply are held."""
        return bool(self._rest or self._lines or self._unread)

    def feed(self, data: bytes) -> Iterable[Reply]:
        """Take bytes as they came; iterating gives the replies they complete, in order.

        Iterating raises `ProtocolViolation` for what is no reply or passes a bound; the parser is
        then of no further use. What is not iterated over is given behind the next call.
        """
        if not (self._rest or self._unread or self._lines) and data.endswith(b"\n"):
            # Nearly all that comes is known, and whole.
            replies: list[Any] = list(map(self._known.get, data[:-1].split(b"\n")))
            if all(replies):
                return replies
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._unread += lines
        return self._replies()

    def _replies(self) -> Iterator[Reply]:
        while self._unread:
            line = self._unread.popleft()
            if self._lines or (reply := self._known.get(line)) is None:
                reply = self._take(line)
            if reply is not None:
                yield reply
        if len(self._rest) > MAX_LINE_BYTES:
            raise _too_long()

    def _take(self, line: bytes) -> Reply | None:
        """Add a line to the reply under way; the reply when that was its last."""
        if len(line) > MAX_LINE_BYTES:
            raise _too_long()
        raw, line = line, line.rstrip(b"\r")
        match = _LINE.fullmatch(line)
        if match is None or (not match[2] and match[3]):
            raise ProtocolViolation(f'not an SMTP reply: "{readable(line[:200])}"')
        if _SECOND.search(line):
            raise ProtocolViolation(f'two replies in one line: "{readable(line[:200])}"')
        code = int(match[1])
        if self._lines and code != self._code:
            raise ProtocolViolation(f"a reply that begins with {self._code} goes on with {code}")
        self._code = code
        self._reply_bytes += len(line)
        if self._reply_bytes > MAX_REPLY_BYTES:
            raise ProtocolViolation(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        self._lines.append(readable(match[3]))
        if match[2] == b"-":
            return None
        reply = Reply(code, tuple(self._lines), _enhanced(code, self._lines))
        if len(self._lines) == 1:
            self._remember(raw, reply)
        self._lines = []
        self._reply_bytes = 0
        return reply

    def _remember(self, line: bytes, reply: Reply) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[line] = reply


def _too_long() -> ProtocolViolation:
    return ProtocolViolation(f"a reply line of more than {MAX_LINE_BYTES} bytes")


def _enhanced(code: int, lines: list[str]) -> EnhancedStatusCode | None:
    """The enhanced code of the first line that has one (RFC 2034, 4: its class is the code's)."""
    for line in lines:
        match = _ENHANCED.match(line)
        if match is not None and int(match[1]) == code // 100:
            return EnhancedStatusCode(int(match[1]), int(match[2]), int(match[3]))
    return None
