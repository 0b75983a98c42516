"""Scratch paper: a ledger for a look at a campaign, in a temporary file that is gone at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bulkmail.app.places import ledger_path
from bulkmail.campaign.load import Campaign
from bulkmail.clock import Clock
from bulkmail.ledger import Ledger


@contextlib.asynccontextmanager
async def scratch_ledger(clock: Clock) -> AsyncIterator[Ledger]:
    """A ledger of its own file, so that a long list does not fill the memory."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-") as folder:
        path = Path(folder) / "scratch.db"
        ledger = await Ledger.open(path, clock=clock, durability="process")
        try:
            yield ledger
        finally:
            await ledger.close()


async def suppressed_in_project(
    campaign: Campaign, given: Path | None, clock: Clock
) -> list[tuple[str, str]]:
    """The suppression list of the campaign's real ledger, which is only read; [] without one."""
    path = ledger_path(campaign, given)
    if not path.is_file():
        return []
    ledger = await Ledger.open(path, clock=clock, read_only=True)
    try:
        return [(entry.address, "on the suppression list") for entry in await ledger.suppressed()]
    finally:
        await ledger.close()
