"""`send`: the whole road, from a campaign's files to every recipient's fate in the ledger."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkmail.app.assembly import Surroundings, transcribing
from bulkmail.app.identity import refuse_another_ledger
from bulkmail.app.ledger_silence import told_of_silence
from bulkmail.app.one_run import OneRun
from bulkmail.app.opening import open_ledger
from bulkmail.app.options import SendOptions
from bulkmail.app.places import ledger_path
from bulkmail.app.preparing import if_paused, prepared
from bulkmail.app.processes.hiring import Hiring
from bulkmail.app.suppressing import Suppressions
from bulkmail.app.watch import Audience, Watch
from bulkmail.campaign.load import Campaign
from bulkmail.report.log import LogWatch, opened_log
from bulkmail.report.silence import Silence
from bulkmail.report.summary import Summary

if TYPE_CHECKING:
    from bulkmail.app.notifying import Notices


async def send(
    campaign: Campaign,
    options: SendOptions | None = None,
    *,
    watch: Watch | None = None,
    environ: Mapping[str, str] | None = None,
) -> Summary:
    """Send a campaign, or go on sending it; return what it came to.

    Who was sent to is not sent to again. Raises `ConfigurationError` with everything that is
    wrong, nothing having been sent; `LedgerError` where the ledger cannot be written, what was
    not sent staying pending. Cancelled, it cuts the connections and leaves the ledger whole.
    """
    surroundings = Surroundings.ordinary(watch or Silence())
    environ = os.environ if environ is None else environ
    return await send_as(campaign, options or SendOptions(), surroundings, environ)


async def send_as(
    campaign: Campaign,
    options: SendOptions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> Summary:
    """`send`, in surroundings of the caller's."""
    interrupts = surroundings.interrupts
    with interrupts.installed() if options.handle_signals else contextlib.nullcontext():
        if options.dry_run or options.test_to is not None:
            # Of no use to who sends, and not free to import.
            from bulkmail.app.rehearsing import dry_run, send_test  # noqa: PLC0415
        if options.dry_run:
            return await dry_run(campaign, options, surroundings, environ)
        if options.test_to is not None:
            return await send_test(campaign, options, surroundings, environ)
        return await send_in(campaign, options, surroundings, environ)


async def send_in(
    campaign: Campaign,
    options: SendOptions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> Summary:
    """`send`, in surroundings that are there already: a signal is theirs to answer."""
    suppressions = Suppressions()
    servers, composer = await prepared(campaign, suppressions, surroundings, environ)
    notices = _notices(campaign, environ)
    path = ledger_path(campaign, options.ledger)
    if options.ledger is None:
        await refuse_another_ledger(campaign, path.resolve(), surroundings.clock)
    if options.occasion is None:
        surroundings.watch.announce(f"Ledger: {path}")
    async with contextlib.AsyncExitStack() as stack:
        hiring = Hiring(campaign, options, servers, surroundings, environ)
        stack.push_async_callback(hiring.close)
        await hiring.begin()
        ledger = await open_ledger(path, campaign.project.ledger, surroundings.clock)
        stack.push_async_callback(ledger.close)
        stack.enter_context(ledger.lock(campaign.name))
        log = stack.enter_context(opened_log(path.parent, options.log_format))
        watched = Audience(surroundings.watch, LogWatch(log))
        if paused := await if_paused(campaign, ledger):
            return paused
        transcript = await stack.enter_async_context(
            transcribing(options.transcript, watched.announce)
        )
        logged = replace(surroundings, watch=watched)
        run = OneRun(
            campaign,
            options,
            ledger,
            composer=composer,
            surroundings=logged,
            suppressions=suppressions,
            hiring=hiring,
            display=surroundings.watch,
        )
        async with told_of_silence(ledger, surroundings.clock, watched.announce):
            record = await run.begin(environ)
        ended = await run.deliver(record, servers, transcript)
        if notices is not None:
            await notices.tell(ended, record, ledger, servers, logged)
        return ended


def _notices(campaign: Campaign, environ: Mapping[str, str]) -> Notices | None:
    """Whom the campaign tells of its end; None: nobody. Raises `ConfigurationError`."""
    if not campaign.model.on_finish and not campaign.model.on_failure:
        return None
    # What it is told with is slow to import, and of no use to all others.
    from bulkmail.app.notifying import Notices  # noqa: PLC0415

    return Notices(campaign, environ)
