"""Scratch paper for a look at a campaign, and the real ledger for no more than a look."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bulkmail.app.places import ledger_path, was_made
from bulkmail.campaign.load import Campaign
from bulkmail.clock import Clock
from bulkmail.ledger import Ledger, MemoryLedger, ScratchLedger


@contextlib.asynccontextmanager
async def scratch_ledger(clock: Clock) -> AsyncIterator[Ledger]:
    """A ledger that nobody else sees and that is gone at the end."""
    ledger = ScratchLedger(clock)
    try:
        yield ledger
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def real_ledger(
    campaign: Campaign, given: Path | None, clock: Clock
) -> AsyncIterator[Ledger]:
    """The campaign's real ledger, only to be read; an empty one where it has none yet."""
    path = ledger_path(campaign, given)
    if was_made(path):
        ledger = await Ledger.open(path, clock=clock, read_only=True)
    else:
        ledger = MemoryLedger(clock=clock)
    try:
        yield ledger
    finally:
        await ledger.close()
