"""The places of a run's children, and how many recipients each may still try in a limited one.

A limit is divided (`sharing`). What a child that has ended may still try, another one may; who
replaces a dead one may try what surely was not tried, by the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bulkmail.app.processes.member import Member
from bulkmail.app.processes.sharing import share
from bulkmail.clock import Clock
from bulkmail.ledger import Ledger


@dataclass(slots=True)
class Seat:
    """One child's place in the run, whoever sits in it."""

    number: int
    #: At most so many recipients; None is all.
    limit: int | None
    owner: str = ""
    #: Recipients it tried, as far as is known, and of those before it in this seat.
    tried: set[int] = field(default_factory=set)
    deaths: int = 0
    #: None: it is not sending, or no more.
    member: Member | None = None

    @property
    def left(self) -> int:
        """How many more it may try, at most."""
        return 0 if self.limit is None else max(0, self.limit - len(self.tried))


class Seats:
    """All of one run, from its beginning."""

    def __init__(self, of: int, limit: int | None, clock: Clock) -> None:
        """`limit`: the whole run's."""
        self._seats = [Seat(n, None if limit is None else share(limit, n, of)) for n in range(of)]
        self._limit = limit
        self._clock = clock
        #: When the run began, and the earliest that the wall's clock has shown: it may be set.
        self._began_at = self._earliest_at = clock.time()
        #: When it was last looked at, by the clock that nobody sets.
        self._looked = clock.monotonic()

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def __getitem__(self, number: int) -> Seat:
        return self._seats[number]

    @property
    def is_limited(self) -> bool:
        """Whether the run may try some recipients only."""
        return self._limit is not None

    @property
    def is_open(self) -> bool:
        """Whether anybody may try anybody any more."""
        return not self.is_limited or any(seat.left for seat in self)

    def hand_over(self, seat: Seat) -> None:
        """What a child that has ended may still try of a limited run, another one may."""
        if not seat.left:
            return
        for other in self:
            if other is not seat and other.member is not None and other.limit is not None:
                left, seat.limit = seat.left, len(seat.tried)
                other.limit += left
                other.member.say("grant", left)
                return

    async def may_go_on(self, seat: Seat, ledger: Ledger, campaign_id: int) -> bool:
        """Let who replaces a dead child of a limited run try what surely was not tried."""
        self.look_at_clock()
        tried = await ledger.tried_since(campaign_id, self.since)
        others = sum(other.left for other in self if other is not seat)
        seat.tried.clear()
        seat.limit = min(seat.limit or 0, max(0, (self._limit or 0) - tried - others))
        return seat.limit > 0

    @property
    def since(self) -> float:
        """The earliest instant that a try of this run can be dated by.

        Somebody of an earlier run may have been tried behind it, where the clock was set back.
        """
        return self._earliest_at

    def look_at_clock(self) -> None:
        """Notice that it was set back, however often it was set to and fro by now."""
        now, looked = self._clock.time(), self._clock.monotonic()
        self._earliest_at = min(self._earliest_at, now - (looked - self._looked))
        self._looked = looked
