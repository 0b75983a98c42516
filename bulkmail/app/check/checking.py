"""`check`: all that can be known before sending, without a server unless it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import reached, ways_as_written, ways_of
from bulkmail.app.check.inspecting import inspect
from bulkmail.app.check.inspection import Inspection
from bulkmail.app.check.looking import look_around
from bulkmail.app.check.overview import Overview
from bulkmail.app.check.personal import not_noted, notebook
from bulkmail.app.check.texting import TextTally
from bulkmail.app.faults import FaultList
from bulkmail.app.scratch import scratch_ledger
from bulkmail.app.watch import Watch
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.campaign.models.sms import chosen_gateway
from bulkmail.campaign.salvage import Salvage
from bulkmail.clock import Clock, SystemClock
from bulkmail.errors import ConfigurationError, Fault, LedgerError
from bulkmail.fate import Counts
from bulkmail.ledger import Ledger
from bulkmail.message.files.must_contain import text_notices
from bulkmail.message.keyring import key_faults, key_notices
from bulkmail.online.dns import Dns
from bulkmail.online.finding import Finding
from bulkmail.report.silence import Silence
from bulkmail.report.wording import counted, number, size
from bulkmail.settings import (
    NO_SERVERS,
    GatewaySettings,
    ServerSettings,
    Way,
    has_server,
)
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class CheckReport:
    """What a check found: nothing to mend when `faults` is empty."""

    campaign: str
    faults: tuple[Fault, ...]
    #: What is no fault and worth knowing.
    notices: tuple[str, ...]
    #: Recipients, duplicates not among them.
    total: int
    duplicates: int
    #: Sizes of the messages, and whom the list is made of.
    overview: Overview
    #: With `online`: what was looked at, and whether it is as it should be.
    lines: tuple[Finding, ...] = ()
    #: Of text messages; None: it is mail.
    texts: TextTally | None = None


async def check(
    campaign: Campaign,
    *,
    online: bool = False,
    as_new: bool = False,
    watch: Watch | None = None,
    environ: Mapping[str, str] | None = None,
    ledger: Path | None = None,
    dns: Dns | None = None,
) -> CheckReport:
    """Read the whole list and render every row. Never raises for what is wrong with them.

    The ledger, which is made where there is none, keeps that this was checked, for
    `send --require-check`; nothing else in it is changed. That everybody would be mailed again is a
    fault but with `as_new`, as to `send`. With `online`, servers are asked, and
    `dns` (by default that of this machine) for what it says of the sender.
    """
    look = partial(
        _check, campaign, online=online, as_new=as_new, watch=watch, environ=environ, dns=dns
    )
    try:
        clock = SystemClock()
        async with notebook(campaign, ledger, clock) as notes:
            return await look(notes)
    except LedgerError as error:
        found = await look(None)
        return replace(found, notices=(*found.notices, not_noted(error)))


async def _check(
    campaign: Campaign,
    notes: Ledger | None,
    *,
    online: bool,
    as_new: bool,
    watch: Watch | None,
    environ: Mapping[str, str] | None,
    dns: Dns | None,
) -> CheckReport:
    environ = os.environ if environ is None else environ
    surroundings = Surroundings.ordinary(watch or Silence())
    if notes is not None:
        await notes.checks(campaign.name).begin()
    async with scratch_ledger(surroundings.clock) as ledger:
        inspection, _ = await inspect(
            campaign,
            ledger=ledger,
            surroundings=surroundings,
            environ=environ,
            skip_invalid=True,
            notes=notes,
            is_close=True,
        )
        if not as_new:
            inspection.faults.add(inspection.repeated)
        if notes is not None and not inspection.faults:
            await notes.checks(campaign.name).passed(inspection.facts)
        record = await ledger.campaign(campaign.name)
        counts = None if record is None else await ledger.counts(record.id)
    faults = [*inspection.faults, *ways_as_written(campaign), *key_faults(campaign, environ)]
    lines: tuple[Finding, ...] = ()
    if online:
        try:
            ways = ways_of(campaign, environ)
        except ConfigurationError as error:
            faults += error.faults
        else:
            lines = await _looked_around(
                campaign,
                ways,
                clock=surroundings.clock,
                environ=environ,
                largest_bytes=inspection.overview.largest_bytes,
                dns=dns,
            )
    return CheckReport(
        campaign=campaign.name,
        faults=tuple(dict.fromkeys(faults)),
        notices=(
            *_notices(campaign, inspection, environ),
            *_who_gets_nothing(counts),
            *inspection.linting.notices(),
            *inspection.linting.texts.sentences(_gateway(campaign)),
        ),
        texts=inspection.linting.texts if campaign.sms is not None else None,
        total=counts.total if counts else 0,
        duplicates=counts.duplicates if counts else 0,
        overview=inspection.overview,
        lines=lines,
    )


async def _looked_around(
    campaign: Campaign,
    ways: Sequence[Way],
    *,
    clock: Clock,
    environ: Mapping[str, str],
    largest_bytes: int,
    dns: Dns | None,
) -> tuple[Finding, ...]:
    """What campaigns of either channel are sent by, and what mail needs beside it."""
    gateways = [way for way in ways if isinstance(way, GatewaySettings)]
    if gateways:
        return tuple([Finding(*await reached(gateway)) for gateway in gateways])
    from bulkmail.online.resolver import Resolver  # noqa: PLC0415  # dnspython is slow

    return await look_around(
        campaign,
        [way for way in ways if isinstance(way, ServerSettings)],
        clock=clock,
        environ=environ,
        largest_bytes=largest_bytes,
        dns=dns or Resolver(),
    )


def _gateway(campaign: Campaign) -> GatewayModel | None:
    return None if campaign.sms is None else chosen_gateway(campaign.sms, campaign.project)[0]


async def all_that_is_wrong(
    path: Path, error: ConfigurationError, environ: Mapping[str, str] | None = None
) -> ConfigurationError:
    """`error`, with which a campaign's file was refused, and what else is wrong, as far as is seen.

    Templates, files and rows are looked at without the keys at fault; with `environ` servers too.
    """
    found = Salvage(path)
    if found.campaign is None:
        return error
    faults = FaultList()
    faults.add(error.faults)
    if environ is not None and not found.cut & {"servers", "gateway", "gateways"}:
        with faults.collecting():
            ways_of(found.campaign, environ)
    surroundings = Surroundings.ordinary(Silence())
    async with scratch_ledger(surroundings.clock) as ledger:
        inspection, _ = await inspect(
            found.campaign,
            ledger=ledger,
            surroundings=surroundings,
            environ=os.environ if environ is None else environ,
            skip_invalid=True,
        )
    faults.add(inspection.faults)
    faults.add(ways_as_written(found.campaign))
    return ConfigurationError(*faults)


def _who_gets_nothing(counts: Counts | None) -> tuple[str, ...]:
    """How many of the list are sent nothing: all of it, where `skip_if` is not as it was meant."""
    if counts is None or not counts.suppressed:
        return ()
    why = "skipped by `skip_if`, or in a file of `suppress`"
    if counts.suppressed == counts.total:
        return (f"Nobody on the list gets a message: all are {why}",)
    return (
        f"{number(counts.suppressed)} of {counted(counts.total, 'recipient')} get nothing: {why}",
    )


def _notices(
    campaign: Campaign, inspection: Inspection, environ: Mapping[str, str]
) -> tuple[str, ...]:
    notices = [*key_notices(campaign, environ), *text_notices(campaign)]
    notices += filter(None, (inspection.notice, inspection.changed_files))
    if not has_server(campaign):
        notices.append(f"T{NO_SERVERS[1:]}")
    largest = inspection.overview.largest_bytes
    if largest > LARGE:
        notices.append(f"The largest message has {size(largest)}; many servers refuse that.")
    return tuple(notices)


#: Gmail, Outlook and QQ take about 25 MB with attachments encoded; many servers take 10 MB.
LARGE = 10_000_000
