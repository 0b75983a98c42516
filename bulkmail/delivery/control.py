"""The run's switches: stop, what a person ordered, and the waking of whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from bulkmail.clock import Clock
from bulkmail.delivery.bell import Bell
from bulkmail.fate import Halt, Orders

#: Seconds after which a wait looks at the clock again: while a machine sleeps, or its clock is set,
#: the time of day goes on and the loop's own time does not.
GLANCE = 30.0


class Control:
    """Shared by the engine, its workers and whoever started the run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_stopping = False
        #: Whether a new delivery may begin: the run is neither to end nor halted. To be read alone.
        self.may_begin = True
        #: What a person ordered, as far as it is known.
        self.halt: Halt | None = None
        #: Somebody may be due from then on (epoch seconds), by what happened since `listen`.
        self._due_at = math.inf
        self._brake = Bell()
        self._news = Bell()
        self._limits: dict[asyncio.Timeout, None] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether the run is to end; what is on the wire ends."""
        return self._is_stopping

    def stop(self) -> None:
        """No new claims; what is on the wire ends."""
        self._is_stopping = True
        self._put_on_the_brake()

    def heed(self, orders: Orders) -> None:
        """Halt, or go on, as a person ordered; and wake who waits where there is news."""
        if orders.put_back:
            self.wake()
        if orders.halt is self.halt:
            return
        self.halt = orders.halt
        if self.halt is not None:
            self._put_on_the_brake()
        elif not self._is_stopping:
            self.may_begin = True
            self._brake.clear()
            self.wake()

    def _put_on_the_brake(self) -> None:
        self.may_begin = False
        self._brake.set()
        self._news.set()
        for limit in self._limits:
            # One that is under way already cannot be moved any more.
            if not limit.expired():
                limit.reschedule(0)

    @contextlib.asynccontextmanager
    async def until_stop(self) -> AsyncIterator[None]:
        """A block that is cancelled, and left by `TimeoutError`, when nothing more may begin."""
        async with asyncio.timeout(None if self.may_begin else 0) as limit:
            self._limits[limit] = None
            try:
                yield
            finally:
                del self._limits[limit]

    def wake(self, due_at: float = 0.0) -> None:
        """Something changed that the dispatcher may wait for.

        By it somebody may be due from `due_at` on (epoch seconds); infinity: nobody.
        """
        self._due_at = min(self._due_at, due_at)
        self._news.set()

    def listen(self) -> float:
        """Forget old news; when somebody may be due by them, as `wake` was told.

        Called before looking, so that nothing is missed while looking.
        """
        self._news.clear()
        due_at, self._due_at = self._due_at, math.inf
        return due_at

    async def news(self, until: float | None = None) -> None:
        """Return when something happened since `listen`, or at `until` (epoch seconds)."""
        await self._wait(self._news, until)

    async def pause(self, until: float, *, furthest: float = math.inf) -> bool:
        """Wait until then (epoch seconds). False: nothing more may begin, perhaps sooner.

        It ends as well where `until` is more than `furthest` seconds away by now: the clock was set
        back.
        """
        await self._wait(self._brake, until, furthest)
        return self.may_begin

    async def _wait(self, bell: Bell, until: float | None, furthest: float = math.inf) -> None:
        while not bell.is_set():
            delay = None if until is None else until - self._clock.time()
            if delay is not None and not 0 < delay <= furthest:
                return
            await bell.wait(None if delay is None else min(delay, GLANCE))
