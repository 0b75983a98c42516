"""`plan`: for how many a campaign is, by which servers, and how long it will take."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from bulkmail.address import parse_address
from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import ways_of
from bulkmail.app.enrolling import Pass, enrolled
from bulkmail.app.listing import opened_list
from bulkmail.app.scratch import real_ledger, scratch_ledger
from bulkmail.app.suppressing import suppressed_by
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.units import Rate, WarmUp
from bulkmail.fate import State
from bulkmail.ledger import Ledger
from bulkmail.ledger.pace import STRETCH
from bulkmail.ledger.quota import BUCKETS
from bulkmail.report.silence import Silence
from bulkmail.schedule.estimate import Estimate, Outlet, Quota, estimate
from bulkmail.schedule.timetable import timetable, window_in
from bulkmail.settings import Way, domain_limits
from bulkmail.value_class import value_class

#: Seconds of one message on one connection, where no limit says more: an ordinary submission
#: server, a few round trips away. Where a pace is set it decides.
MESSAGE_SECONDS = 0.25
#: Rows of a list that are looked up at once.
_PAGE = 1000


@value_class(kw_only=True)
class Plan:
    """What is to be expected of a campaign. Epoch seconds."""

    campaign: str
    #: Who is still to be sent to.
    count: int
    #: When it is due; None: at no time by itself, so it is planned from now on.
    due_at: float | None
    starts_at: float
    until: float | None
    estimate: Estimate
    #: Whether some server has no pace, so that its speed is a guess.
    is_guessed: bool
    #: The group of recipient domains that takes longest, where it takes longer than the servers.
    slowest_domains: str | None
    #: Whether the window is counted for each reader, which is not foreseen.
    by_reader: bool
    #: Whether some server warms up, which is not foreseen: it is taken for as quick as it will be.
    warms_up: bool


async def plan(campaign: Campaign, environ: Mapping[str, str], ledger: Path | None = None) -> Plan:
    """Foresee the campaign, or its next occurrence. Nothing is written, and nobody connected to.

    Raises `ConfigurationError` where its servers or its list are wrong.
    """
    surroundings = Surroundings.ordinary(Silence())
    now = surroundings.clock.time()
    ways = ways_of(campaign, environ, has_login=False)
    table = timetable(campaign.model.schedule)
    async with real_ledger(campaign, ledger, surroundings.clock) as real:
        handled = await real.series().handled(campaign.name, None if table is None else table.at)
        due_at = None if table is None else next(table.upcoming(now, handled=handled), None)
        used = await real.quotas()
        is_new = table is not None and table.is_series
        counts = await _counted(campaign, real, surroundings, environ, is_new=is_new)
    count = sum(counts.values())
    starts_at = max(now, due_at or now)
    schedule = campaign.model.schedule
    window = None if schedule.recipient_timezone else window_in(schedule)
    until = None if table is None else table.until

    def walk(outlets: list[Outlet], many: int) -> Estimate:
        if window is None:
            return estimate(many, outlets, starts_at=starts_at, until=until)
        return estimate(
            many,
            outlets,
            starts_at=starts_at,
            until=until,
            shut_until=window.shut_until,
            shuts_at=window.shuts_at,
        )

    whole = walk([outlet_of(way, used) for way in ways], count)
    slowest = None
    for limit in domain_limits(campaign):
        many = sum(number for domain, number in counts.items() if domain in limit.domains)
        if not many:
            continue
        found = walk([_outlet(limit.name, limit.rates, math.inf, used, "domain:")], many)
        if found.ends_at > whole.ends_at:
            slowest = limit.name
            whole = _longer(whole, found)
    return Plan(
        campaign=campaign.name,
        count=count,
        due_at=due_at,
        starts_at=starts_at,
        until=until,
        estimate=whole,
        is_guessed=any(not any(rate.is_pace for rate in way.rates) for way in ways),
        slowest_domains=slowest,
        by_reader=schedule.recipient_timezone is not None and window_in(schedule) is not None,
        warms_up=any(isinstance(rate, WarmUp) for way in ways for rate in way.rates),
    )


def outlet_of(way: Way, used: Mapping[tuple[str, float], list[tuple[float, int]]]) -> Outlet:
    """A server's or gateway's limits, and what is used of them."""
    outlet = _outlet(way.name, way.rates, way.connections / MESSAGE_SECONDS, used)
    outlet.weight = way.weight
    return outlet


def _outlet(
    name: str,
    rates: Iterable[Rate],
    fastest: float,
    used: Mapping[tuple[str, float], list[tuple[float, int]]],
    prefix: str = "",
) -> Outlet:
    rates = tuple(rates)
    paces = [rate.count / rate.window / STRETCH for rate in rates if rate.is_pace]
    quotas = tuple(
        # A bucket is free again when all of it is out of the window.
        Quota(
            rate.count,
            rate.window * (1 + 1 / BUCKETS),
            deque((at, float(n)) for at, n in used.get((prefix + name, rate.window), ())),
        )
        for rate in rates
        if not rate.is_pace
    )
    # Whoever has quotas alone uses them as fast as may be.
    return Outlet(name=name, pace=min([fastest, *paces, 1e6]), quotas=quotas)


def _longer(servers: Estimate, domains: Estimate) -> Estimate:
    return Estimate(
        begins_at=servers.begins_at,
        ends_at=domains.ends_at,
        by_outlet=servers.by_outlet,
        shut_seconds=domains.shut_seconds,
        spent_seconds=domains.spent_seconds,
        left_at_until=max(servers.left_at_until, domains.left_at_until),
    )


async def _counted(
    campaign: Campaign,
    real: Ledger,
    surroundings: Surroundings,
    environ: Mapping[str, str],
    *,
    is_new: bool,
) -> dict[str, int]:
    """Who is to be sent to, by recipient domain: as the ledger has it, or else the list."""
    record = None if is_new else await real.campaign(campaign.name)
    if record is not None and record.generation:
        return await real.waiting_by_domain(record.id)
    async with scratch_ledger(surroundings.clock) as scratch:
        reading = Pass(campaign, None, ledger=scratch, surroundings=surroundings)
        listed = [
            *suppressed_by(campaign),
            *((entry.address, entry.reason) for entry in await real.suppression().all()),
        ]
        async with opened_list(campaign, surroundings, environ) as recipients:
            await reading.run(recipients, listed, skip_invalid=True)
        campaign_id = (await enrolled(campaign, scratch)).id
        counts = await scratch.waiting_by_domain(campaign_id)
        if campaign.model.only_new:
            async for domain in _held(campaign.name, real, scratch, campaign_id):
                counts[domain] -= 1
        return counts


async def _held(series: str, real: Ledger, scratch: Ledger, campaign_id: int) -> AsyncIterator[str]:
    """The recipient domain of each one of the list whom an earlier occurrence holds."""
    after = 0
    while rows := await scratch.rows(campaign_id, after=after, limit=_PAGE, states=[State.PENDING]):
        after = rows[-1].id
        held = await real.series().held(series, [row.key for row in rows])
        for row in rows:
            if row.key in held:
                yield _domain_of(row.address)


def _domain_of(address: str) -> str:
    """What a recipient's limits by domain hang on, in A-labels; "" for a telephone number."""
    return parse_address(address).domain if "@" in address else ""
