"""How a server behaves ill: probabilities and times, and the dice they are thrown with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random


class Act(Enum):
    """What a server does besides speaking."""

    #: It closes in order.
    CLOSE = "close"
    #: The connection is reset.
    RESET = "reset"
    #: It says and hears nothing more.
    STALL = "stall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault that falls on one command instead of its good reply."""

    fault: str
    #: What is said; b"" where `act` is done without a word.
    reply: bytes = b""
    act: Act = Act.RESET
    #: At the end of data: whether the message was taken before.
    is_after: bool = False


#: Whole stretches of virtual time, begin and end.
Spans = Sequence[tuple[float, float]]


def _within(now: float, spans: Spans) -> bool:
    return any(begin <= now < end for begin, end in spans)


@dataclass(kw_only=True)
class Temper:
    """One server's. The values that are not given are those of an honest server."""

    dice: Random
    #: By stage: faults, and how likely each is.
    strikes: Mapping[str, Sequence[tuple[float, Strike]]] = field(default_factory=dict)
    #: Seconds one way, least and most.
    latency: tuple[float, float] = (0.001, 0.02)
    #: How likely bytes arrive in pieces.
    splitting: float = 0.0
    #: How likely the connection is lost with each piece of content.
    content_loss: float = 0.0
    away: Spans = ()
    #: Whether connecting to it while it is away takes until the deadline.
    is_black_hole: bool = False
    storming: Spans = ()
    #: The share of recipients it does not know, and will not.
    unknown: float = 0.0
    #: Seconds for which a new recipient is put off; 0: none is.
    greylisting: float = 0.0
    #: Messages in any hour; 0: no quota.
    quota: int = 0
    quota_reply: bytes = b"452 4.2.2 daily sending quota exceeded"
    most_connections: int = 1000
    #: Recipients that it takes in one transaction.
    most_recipients: int = 1000
    #: Seconds after which an idle connection is closed with 421; 0: never.
    idle_limit: float = 0.0
    password: str = "right"
    pipelining: bool = True
    chunking: bool = False
    #: Whether it offers PIPELINING and forgets what came with a final dot, and behind it.
    drops_behind_dot: bool = False
    #: Whether it keeps an envelope whose recipients it refused until RSET comes (Exim): it refuses
    #: the next MAIL, and takes what stands behind that under the former reverse-path.
    keeps_envelopes: bool = False
    #: Seconds from what arrives to its reading; what comes meanwhile is read with it.
    reads_after: float = 0.0
    #: What it does at a QUIT that stands behind messages, and says nothing of those.
    shock: Act | None = None
    starttls: bool = False
    auth: bool = False

    def strike(self, stage: str) -> Strike | None:
        """The fault that falls on a command of `stage`, if one does."""
        likely = self.strikes.get(stage)
        if not likely:
            return None
        thrown = self.dice.random()
        for share, strike in likely:
            thrown -= share
            if thrown < 0:
                return strike
        return None

    def is_away(self, now: float) -> bool:
        return _within(now, self.away)

    def storms(self, now: float) -> bool:
        return _within(now, self.storming)

    def knows_not(self, address: str) -> bool:
        """By the address alone: its number is the list's."""
        number = int("".join(filter(str.isdigit, address)) or "0")
        return (number * 7919) % 1000 < self.unknown * 1000

    def is_early(self, seen_at: float, now: float) -> bool:
        return now - seen_at < self.greylisting

    def is_spent(self, let_in: Sequence[float], now: float) -> bool:
        return bool(self.quota) and sum(at > now - 3600 for at in let_in) >= self.quota

    def loses_content(self) -> bool:
        return self.dice.random() < self.content_loss

    def hello(self, name: str) -> bytes:
        """The reply to EHLO, without its end."""
        offers = [b"SIZE 50000000"]
        if self.pipelining:
            offers.append(b"PIPELINING")
        if self.chunking:
            offers.append(b"CHUNKING")
        if self.starttls:
            offers.append(b"STARTTLS")
        if self.auth:
            offers.append(b"AUTH PLAIN")
        lines = [name.encode(), *offers, b"ENHANCEDSTATUSCODES"]
        return b"\r\n".join(
            b"250%s%s" % (b" " if line is lines[-1] else b"-", line) for line in lines
        )
