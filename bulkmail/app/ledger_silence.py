"""A ledger that does not answer before anything is sent is told of; the engine does so later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from bulkmail.clock import Clock
from bulkmail.delivery.engine import SLOW
from bulkmail.ledger import Ledger

SILENT = (
    "Waiting: the ledger does not answer: it is at work on a long list, another program keeps it "
    "locked, or its disk is slow."
)


@contextlib.asynccontextmanager
async def told_of_silence(
    ledger: Ledger, clock: Clock, announce: Callable[[str], None]
) -> AsyncIterator[None]:
    """Tell once, while inside, that the ledger keeps a question waiting for `SLOW` seconds."""
    asking = asyncio.create_task(_ask(ledger, clock, announce))
    try:
        yield
    finally:
        asking.cancel()
        # Where the ledger breaks, whoever else asked it says so.
        await asyncio.gather(asking, return_exceptions=True)


async def _ask(ledger: Ledger, clock: Clock, announce: Callable[[str], None]) -> None:
    """It waits behind what others have asked for: who is silent to them is so to us."""
    while True:
        await clock.sleep(SLOW)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ledger.campaigns())
            if not (await asyncio.wait([asked], timeout=SLOW))[0]:
                announce(SILENT)
                return
