"""An SMTP server as a value: bytes in, deeds out. It has no clock and no connection of its own.

What it does ill is decided by its `Temper`.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.temper import Act, Strike, Temper

_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.MULTILINE)
_PATH = re.compile(r"<([^>]*)>")
_END = b"\r\n.\r\n"
_QUIT = b"QUIT\r\n"
#: Of the servers that QUIT ahead makes forget their replies, how many take the messages.
_TAKES_ALL_THE_SAME = 0.5
#: The last line of each message.
CLOSING = b"Yours\r\n"

#: Bytes to be said, or what else it does.
Deed = bytes | Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that a server took the responsibility for."""

    at: float
    server: str
    message_id: str
    recipients: tuple[str, ...]
    reverse_path: str
    #: The run that handed it over.
    by: str
    #: Whether its content came to its end.
    is_whole: bool


@dataclass
class Books:
    """What a server remembers over all its connections."""

    name: str
    temper: Temper
    taken: list[Taken] = field(default_factory=list)
    #: Logins that were refused: by whom, with which password.
    refused_logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    #: Processes that said QUIT ahead of replies; whether what stood before one was answered.
    quits: dict[str, bool] = field(default_factory=dict)
    #: Those that said it on one more connection before they knew.
    rash: list[str] = field(default_factory=list)
    #: When a recipient was seen first.
    seen: dict[str, float] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    #: Told of each message that is taken.
    told: Callable[[str], None] = lambda _: None

    def take(self, taken: Taken) -> None:
        """Take the responsibility for a message."""
        self.taken.append(taken)
        self.told(self.name)

    def note(self, fault: str) -> None:
        """Count a fault that was met."""
        self.faults[fault] += 1


class ServerSide:
    """One connection at a server, from its greeting on."""

    def __init__(self, books: Books, client: str) -> None:
        self._books = books
        self._temper = books.temper
        self._client = client
        self._buffer = b""
        self._is_content = False
        #: Octets of a BDAT that are to come; None: none is under way.
        self._chunk: int | None = None
        self._has_mail = False
        self._reverse_path = ""
        self._recipients: list[str] = []
        self._deeds: list[Deed] = []
        self._is_over = False
        #: Whether it ended at the sight of QUIT, with messages that had no reply.
        self.is_shocked = False
        self._now = 0.0

    def greet(self, now: float) -> list[Deed]:
        """What comes first."""
        if self._temper.storms(now):
            self._books.note("421 storm")
            self._leave(b"421 4.3.2 too busy, come back later")
        elif self._books.connections > self._temper.most_connections:
            self._books.note("connections refused")
            self._leave(b"421 4.7.0 too many connections from you")
        elif self._survives("greeting"):
            self._say(b"220 %s ESMTP" % self._books.name.encode())
        return self._done()

    def feed(self, octets: bytes, now: float) -> list[Deed]:
        """Hear bytes; what follows from them."""
        self._buffer += octets
        self._now = now
        self.is_shocked = self._temper.shock is not None and self._is_left_ahead()
        if not self.is_shocked or self._temper.dice.random() < _TAKES_ALL_THE_SAME:
            while not self._is_over and self._take_next():
                pass
        if self.is_shocked and self._temper.shock is not None:
            self._books.note("QUIT ahead ends badly")
            self._is_over = True
            self._deeds = [self._temper.shock]
        return self._done()

    def _is_left_ahead(self) -> bool:
        """Whether QUIT was read with what stands before it."""
        return self._buffer.endswith(_QUIT) and self._buffer != _QUIT

    def _take_next(self) -> bool:
        if self._chunk is not None:
            return self._take_chunk(self._chunk)
        return self._take_content() if self._is_content else self._take()

    def _take_chunk(self, size: int) -> bool:
        """Hear a whole BDAT. False: it has not come to its end."""
        if len(self._buffer) < size:
            if self._buffer and self._temper.loses_content():
                self._suffer(Strike(fault="drop in content"))
            return False
        content, self._buffer = self._buffer[:size], self._buffer[size:]
        self._chunk = None
        if self._recipients:
            self._end_content(content)
        else:
            self._refuse_content()
        return True

    def _refuse_content(self) -> None:
        """There is nobody to take it for."""
        if not self._temper.keeps_envelopes:
            self._forget()
        elif self._has_mail:
            self._books.note("refused envelope kept")
        self._say(b"503 5.5.1 RCPT first")

    def grow_tired(self) -> list[Deed]:
        """It closes an idle connection, with a word."""
        self._books.note("idle closed")
        self._leave(b"421 4.4.2 idle for too long")
        return self._done()

    def _done(self) -> list[Deed]:
        deeds, self._deeds = self._deeds, []
        return deeds

    def _take(self) -> bool:
        """Hear one line. False: there is none."""
        line, found, rest = self._buffer.partition(b"\r\n")
        if found:
            self._buffer = rest
            self._hear(line.decode())
        return bool(found)

    def _take_content(self) -> bool:
        """Hear the whole content. False: it has not come to its end."""
        buffer = b"\r\n" + self._buffer
        content, found, rest = buffer.partition(_END)
        if found:
            self._buffer = rest
            self._is_content = False
            if self._temper.drops_behind_dot and rest:
                self._books.note("drops behind dot")
                self._buffer = b""
            self._end_content(content)
        elif self._buffer and self._temper.loses_content():
            self._suffer(Strike(fault="drop in content"))
        return bool(found)

    def _hear(self, line: str) -> None:
        verbs: dict[str, Callable[[str], None]] = {
            "EHLO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._log_in,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "QUIT": self._quit,
        }
        verbs.get(line.partition(" ")[0].upper(), self._shrug)(line)

    def _ehlo(self, _: str) -> None:
        if self._survives("ehlo"):
            self._say(self._temper.hello(self._books.name))

    def _starttls(self, _: str) -> None:
        if self._survives("starttls"):
            self._say(b"220 2.0.0 go ahead")

    def _rset(self, _: str) -> None:
        self._forget()
        self._say(b"250 2.0.0 ok")

    def _quit(self, _: str) -> None:
        self._leave(b"221 2.0.0 bye")

    def _shrug(self, _: str) -> None:
        self._say(b"500 5.5.2 what")

    def _log_in(self, line: str) -> None:
        if not self._survives("auth"):
            return
        password = base64.b64decode(line.rpartition(" ")[2]).rpartition(b"\0")[2].decode()
        if password == self._temper.password:
            self._say(b"235 2.7.0 welcome")
        else:
            self._books.refused_logins.append((self._client, password))
            self._books.note("login refused")
            self._say(b"535 5.7.8 wrong user name or password")

    def _mail(self, line: str) -> None:
        if self._temper.keeps_envelopes and self._has_mail:
            self._say(b"503 sender already given")
            return
        self._forget()
        if self._temper.storms(self._now):
            self._books.note("421 storm")
            self._leave(b"421 4.3.2 system shutting down")
        elif self._temper.is_spent([taken.at for taken in self._books.taken], self._now):
            self._books.note("server quota")
            self._say(self._temper.quota_reply)
        elif self._survives("mail"):
            self._has_mail = True
            self._reverse_path = _path(line)
            self._say(b"250 2.1.0 ok")

    def _rcpt(self, line: str) -> None:
        address = _path(line)
        if not self._has_mail:
            self._say(b"503 5.5.1 MAIL first")
        elif len(self._recipients) >= self._temper.most_recipients:
            self._books.note("too many recipients")
            self._say(b"452 4.5.3 too many recipients")
        elif self._temper.knows_not(address):
            self._books.note("5xx at RCPT")
            self._say(b"550 5.1.1 no such user here")
        elif self._temper.is_early(self._books.seen.setdefault(address, self._now), self._now):
            self._books.note("greylisting")
            self._say(b"450 4.2.0 greylisted, come back later")
        elif self._survives("rcpt"):
            self._recipients.append(address)
            self._say(b"250 2.1.5 ok")

    def _data(self, _: str) -> None:
        if not self._recipients:
            self._refuse_content()
        elif self._survives("data"):
            self._is_content = True
            self._say(b"354 go on")

    def _bdat(self, line: str) -> None:
        self._chunk = int(line.split()[1])

    def _end_content(self, content: bytes) -> None:
        strike = self._temper.strike("end of data")
        if strike is None or strike.is_after:
            found = _MESSAGE_ID.search(content)
            self._books.take(
                Taken(
                    at=self._now,
                    server=self._books.name,
                    message_id=found[1].decode() if found else "",
                    recipients=tuple(self._recipients),
                    reverse_path=self._reverse_path,
                    by=self._client,
                    # Of DATA the last line end is the final dot's, too.
                    is_whole=content.endswith((CLOSING, CLOSING.rstrip())),
                )
            )
        self._forget()
        if strike is None:
            self._say(b"250 2.0.0 queued")
        else:
            self._suffer(strike)

    def _forget(self) -> None:
        self._has_mail = False
        self._recipients = []

    def _say(self, reply: bytes) -> None:
        self._deeds.append(reply + b"\r\n")

    def _leave(self, farewell: bytes) -> None:
        self._is_over = True
        self._say(farewell)
        self._deeds.append(Act.CLOSE)

    def _survives(self, stage: str) -> bool:
        """Throw the dice for a command; whether its good reply is to be given."""
        strike = self._temper.strike(stage)
        if strike is not None:
            self._suffer(strike)
        return strike is None

    def _suffer(self, strike: Strike) -> None:
        self._books.note(strike.fault)
        if strike.reply.startswith(b"421"):
            self._leave(strike.reply)
        elif strike.reply:
            self._say(strike.reply)
        else:
            self._is_over = True
            self._deeds.append(strike.act)


def _path(line: str) -> str:
    """The one that a command names."""
    found = _PATH.search(line)
    return found[1] if found else ""
