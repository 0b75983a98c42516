"""An event that is waited for with a bound, at the price of one future and one timer."""

from __future__ import annotations

import asyncio


class Bell:
    """As `asyncio.Event`. A run waits for one with each pause of a pace."""

    def __init__(self) -> None:
        self._is_set = False
        #: Who waits, in the order of their coming.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def is_set(self) -> bool:
        """Whether it was rung and not muffled since."""
        return self._is_set

    def set(self) -> None:
        """Wake everybody, and let nobody wait."""
        self._is_set = True
        for waiter in self._waiters:
            _ring(waiter)

    def clear(self) -> None:
        """Let them wait again."""
        self._is_set = False

    async def wait(self, seconds: float | None) -> None:
        """Return when it is set, or after so many seconds (None: not before)."""
        if self._is_set:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, _ring, waiter)
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            del self._waiters[waiter]
            if timer is not None:
                timer.cancel()


def _ring(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
