"""What one session is given next: deliveries of its lane, composed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Pipelined, Session
from bulkmail.delivery.preparing import Flight
from bulkmail.delivery.turns import Turns
from bulkmail.fate import Delivery

#: Octets of messages composed ahead of a session from which on no more are.
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
        self._pipelined = pipelined
        self._lane = lane
        self._turns = turns
        self._make = make
        #: Composed ahead, the next one first.
        self._ahead: deque[Flight] = deque()
        self._octets = 0
        self._fault: Exception | None = None

    async def next(self, besides: int) -> Flight | None:
        """The next one that is ready now, where the session may have one more beside those.

        Raises what composing ahead of it came to.
        """
        if self._fault is not None:
            raise self._fault
        while self._may_have(besides):
            if self._ahead:
                flight = self._ahead.popleft()
                self._octets -= flight.mail.size
                flight.began_in = self._lane.health.round
                return flight
            delivery = self._lane.next_now()
            if delivery is None:
                return None
            if (made := await self._made(delivery)) is not None:
                return made
        return None

    async def compose_ahead(self, count: int) -> None:
        """Have so many composed before they are asked for.

        Fewer where they are large, and where few are left: those are for whoever is free first.
        """
        while len(self._ahead) < count and self._octets < AHEAD_OCTETS:
            delivery = self._lane.next_of_many() if self._may_have(len(self._ahead)) else None
            if delivery is None:
                return
            if (flight := await self._made(delivery)) is not None:
                self._ahead.append(flight)
                self._octets += flight.mail.size

    async def compose_next(self) -> None:
        """Have one composed, while the server answers.

        A fault of ours is raised where the next one is asked for: it is no word on the message
        that is on its way.
        """
        # What was handed over leaves first.
        await asyncio.sleep(0)
        try:
            await self.compose_ahead(1)
        except Exception as error:  # noqa: BLE001  # it is raised by `next`
            self._fault = error

    def put_back(self) -> None:
        """Nothing more is wanted: what was composed ahead is the lane's again."""
        self._lane.put_back([flight.delivery for flight in self._ahead])
        self._ahead.clear()
        self._octets = 0

    def _may_have(self, besides: int) -> bool:
        return self._turns.may_begin and self._pipelined.keeps(self._session, besides)

    async def _made(self, delivery: Delivery) -> Flight | None:
        flight = await self._make(delivery)
        if flight is not None:
            flight.board(self._session)
        return flight
