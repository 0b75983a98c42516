"""Before a run begins: what it sends with, and whether it may begin at all."""

from __future__ import annotations

from collections.abc import Mapping

from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import AnyComposer, composer_of, ways_of
from bulkmail.app.check.inspecting import inspect
from bulkmail.app.faults import FaultList
from bulkmail.app.summing import Run, summary
from bulkmail.app.suppressing import Suppressions
from bulkmail.campaign.load import Campaign
from bulkmail.delivery.ending import PAUSED, Ending, RunResult
from bulkmail.delivery.worker import Tally
from bulkmail.errors import ConfigurationError
from bulkmail.fate import Halt
from bulkmail.ledger import Ledger, MemoryLedger
from bulkmail.message.keyring import Keyring
from bulkmail.report.summary import Summary
from bulkmail.settings import Way


async def if_paused(campaign: Campaign, ledger: Ledger) -> Summary | None:
    """The summary of a run that does not begin; None: it may begin."""
    record = await ledger.campaign(campaign.name)
    if record is None or record.halt is not Halt.PAUSED:
        return None
    return summary(
        Run(
            campaign=campaign.name,
            result=RunResult(ending=Ending.WAITING, sentence=PAUSED),
            counts=await ledger.counts(record.id),
            tally=Tally(),
            elapsed_seconds=0.0,
        ),
        ledger=ledger.path,
        halt=record.halt,
    )


async def prepared(
    campaign: Campaign,
    suppressions: Suppressions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> tuple[tuple[Way, ...], AnyComposer]:
    """The servers and the compiled message; where either is at fault, all there is at fault."""
    faults = FaultList()
    servers: tuple[Way, ...] = ()
    composer = None
    keyring = Keyring()
    with faults.collecting():
        keyring = Keyring.whole(campaign, environ)
    with faults.collecting():
        servers = ways_of(campaign, environ)
    with faults.collecting():
        composer = composer_of(campaign, is_suppressed=suppressions, keyring=keyring)
    if not faults and composer is not None:
        return servers, composer
    scratch = MemoryLedger(clock=surroundings.clock)
    try:
        inspection, _ = await inspect(
            campaign,
            ledger=scratch,
            surroundings=surroundings,
            environ=environ,
            skip_invalid=False,
        )
    finally:
        await scratch.close()
    faults.add(inspection.faults)
    raise ConfigurationError(*faults)
