"""A test whose time is virtual: nothing waits, and nothing depends on how fast the machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from simulation.loop import VirtualLoop
from support.engine import SkippingClock

_EPOCH = 1_800_000_000.0


class VirtualClock(SkippingClock):
    """A loop's time as the time of day."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        #: Seconds by which it was set, in sum.
        self.set_by = 0.0

    def time(self) -> float:
        return _EPOCH + self._loop.time() + self.set_by

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def virtually(story: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    """Let a story happen, from its first step to its last."""
    loop = VirtualLoop(max_steps=2_000_000, max_seconds=10 * 86400.0)
    task = loop.create_task(story(VirtualClock(loop)))
    try:
        loop.run(task.done)
        task.result()
    finally:
        loop.dispose()
