"""`run` put together: the project around a folder, its ledger, and a scheduler on them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bulkmail.app.opening import project_ledger
from bulkmail.app.scheduling.campaign_folder import CampaignFolder
from bulkmail.app.scheduling.occurrence import Setting, Voice
from bulkmail.app.scheduling.scheduler import Scheduler
from bulkmail.app.scheduling.shared_pools import SharedPools
from bulkmail.clock import SystemClock
from bulkmail.report.log import Form


async def run(
    where: Path,
    voice: Voice,
    *,
    is_once: bool,
    environ: Mapping[str, str],
    given: Path | None,
    log_format: Form = "text",
    processes: int | Literal["auto"] = 1,
) -> int:
    """Send every campaign of the project around `where` when it is due; the exit code.

    Raises `ConfigurationError` where bulkmail.yaml is wrong, `LedgerError` where the ledger cannot
    be used.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        _, ledger = await stack.enter_async_context(project_ledger(where, given, clock))
        setting = Setting(
            ledger=ledger,
            given=given,
            clock=clock,
            environ=environ,
            voice=voice,
            pools=SharedPools(),
            is_waiting=not is_once,
            processes=processes,
            log_format=log_format,
        )
        scheduler = Scheduler(CampaignFolder(where), setting)
        return await (scheduler.once() if is_once else scheduler.serve())
