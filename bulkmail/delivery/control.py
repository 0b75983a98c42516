"""The run's switches: stop, and the waking of whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bulkmail.clock import Clock


class Control:
    """Shared by the engine, its workers and whoever started the run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()

    @property
    def is_stopping(self) -> bool:
        """Whether no new delivery may begin."""
        return self._stop.is_set()

    def stop(self) -> None:
        """No new claims; what is on the wire ends."""
        self._stop.set()
        self._news.set()
        for limit in self._limits:
            limit.reschedule(0)

    @contextlib.asynccontextmanager
    async def until_stop(self) -> AsyncIterator[None]:
        """A block that is cancelled, and left by `TimeoutError`, when the run is to stop."""
        async with asyncio.timeout(0 if self.is_stopping else None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def wake(self) -> None:
        """Something changed that the dispatcher may wait for."""
        self._news.set()

    def listen(self) -> None:
        """Forget old news. Called before looking, so that nothing is missed while looking."""
        self._news.clear()

    async def news(self, until: float | None = None) -> None:
        """Return when something happened since `listen`, or at `until` (epoch seconds)."""
        await self._wait(self._news, until)

    async def pause(self, until: float) -> bool:
        """Wait until then (epoch seconds). False: the run is stopping, perhaps sooner."""
        await self._wait(self._stop, until)
        return not self.is_stopping

    async def _wait(self, event: asyncio.Event, until: float | None) -> None:
        delay = None if until is None else until - self._clock.time()
        if delay is not None and delay <= 0:
            return
        try:
            async with asyncio.timeout(delay):
                await event.wait()
        except TimeoutError:
            return
