"""What one session is given next: deliveries of its lane, composed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from bulkmail.delivery.flight import Flight
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Pipelined, Session
from bulkmail.delivery.turns import Turns
from bulkmail.fate import Delivery

#: Octets that messages composed ahead of a session hold by themselves, from which on no more are.
AHEAD_OCTETS = 262_144

#: A delivery's flight; None: it has its result already, or was given back.
Make = Callable[[Delivery], Awaitable[Flight | None]]


class Supply:
    """One session's, while one worker has it. Nobody is waited for.

    What is composed ahead, while a server answers, is not marked, and need not be composed between
    its answer and what follows it. Who does not use it up puts it back.
    """

    def __init__(
        self, session: Session, pipelined: Pipelined, lane: Lane, turns: Turns, make: Make
    ) -> None:
        self._session = session
        #: How it is protected; not every kind says so.
        self._tls: str | None = getattr(session, "tls_version", None)
        self._pipelined = pipelined
        self._lane = lane
        self._turns = turns
        self._make = make
        #: Composed ahead, the next one first.
        self._ahead: deque[Flight] = deque()
        self._fault: Exception | None = None

    async def next(self, besides: int) -> Flight | None:
        """The next one that is ready now, where the session may have one more beside those.

        Raises what composing ahead of it came to.
        """
        self.raise_fault()
        while self._may_have(besides):
            if self._ahead:
                return self._taken(1)[0]
            delivery = self._lane.next_now()
            if delivery is None:
                return None
            if (made := await self._made(delivery)) is not None:
                return made
        return None

    def ready(self, most: int, besides: int) -> list[Flight]:
        """Those composed ahead, the next ones first, where the session may have so many more.

        Empty where there are none, or `next` is to be asked for each.
        """
        count = min(most, len(self._ahead))
        if not (count and self._may_have(besides + count - 1)):
            return []
        return self._taken(count)

    @property
    def has_ready(self) -> bool:
        """Whether one is composed already: `next` gives it at once."""
        return bool(self._ahead)

    def _taken(self, count: int) -> list[Flight]:
        began_in = self._lane.health.round
        taken = [self._ahead.popleft() for _ in range(count)]
        for flight in taken:
            flight.began_in = began_in
        return taken

    def give_again(self, flights: Sequence[Flight]) -> None:
        """They were not used, and are the next ones."""
        self._ahead.extendleft(reversed(flights))

    async def compose_ahead(self, count: int) -> None:
        """Have so many composed before they are asked for.

        Fewer where they are large, and where few are left: those are for whoever is free first.
        """
        is_roomy = self._may_have(count - 1)
        octets = sum(flight.mail.own_size for flight in self._ahead)
        while len(self._ahead) < count and octets < AHEAD_OCTETS:
            if not (is_roomy or self._may_have(len(self._ahead))):
                return
            if (delivery := self._lane.next_of_many()) is None:
                return
            if (flight := await self._made(delivery)) is not None:
                self._ahead.append(flight)
                octets += flight.mail.own_size

    async def compose_row(self, count: int) -> None:
        """Have so many composed one behind the other, where none is."""
        if not self._ahead:
            await self.compose_ahead(count)

    async def compose_next(self) -> None:
        """Have one composed, while the server answers.

        A fault of ours is raised by `next` and `raise_fault`: it is no word on the message
        that is on its way.
        """
        # What was handed over leaves first.
        await asyncio.sleep(0)
        try:
            await self.compose_ahead(1)
        except Exception as error:  # noqa: BLE001  # see `raise_fault`
            self._fault = error

    def raise_fault(self) -> None:
        """Raise what composing ahead came to, also where nobody asks for the next one any more."""
        if self._fault is not None:
            raise self._fault

    def put_back(self) -> None:
        """Nothing more is wanted: what was composed ahead is the lane's again."""
        self._lane.put_back([flight.delivery for flight in self._ahead])
        self._ahead.clear()

    @property
    def is_used_up(self) -> bool:
        """Whether the session may have no more, by number and age."""
        return not self._pipelined.keeps(self._session)

    def _may_have(self, besides: int) -> bool:
        return self._turns.may_begin and self._pipelined.keeps(self._session, besides)

    async def _made(self, delivery: Delivery) -> Flight | None:
        flight = await self._make(delivery)
        if flight is not None:
            flight.tried.tls = self._tls
        return flight
