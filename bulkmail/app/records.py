"""What the ledger says: `status`, `report` and the suppression list."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

from bulkmail.address import spellings
from bulkmail.app.opening import known, readable, writable
from bulkmail.campaign.suppression import read_suppressions, suppressible
from bulkmail.clock import SystemClock, rfc3339
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Counts, Halt, State
from bulkmail.ledger import CampaignRecord, Ledger
from bulkmail.value_class import value_class

#: Why rows stand where they do of which nothing happened that the ledger had to keep.
_UNTOLD = {State.PENDING: "waits to be sent", State.SENDING: "on its way"}


@value_class(kw_only=True)
class Reason:
    """Recipients who ended, or are held, for the same reason."""

    state: State
    count: int
    code: int | None
    enhanced_code: str | None
    reason: str
    #: A few of their addresses.
    sample: tuple[str, ...]


@value_class(kw_only=True)
class ServerTally:
    """What one server did for a campaign."""

    server: str
    sent: int
    #: Recipients whose last try was by it and was not accepted.
    other: int


@value_class(kw_only=True)
class Slowed:
    """A server, or the mailboxes of some domains, that said it was too much."""

    #: The server's name, or "domain:" and the group's.
    scope: str
    #: Messages per second, now.
    pace: float
    #: Messages per second before.
    full: float
    #: Epoch seconds at which it is back there.
    until: float
    #: What was said.
    reason: str


@value_class(kw_only=True)
class WarmingUp:
    """A server whose quota grows from day to day."""

    server: str
    #: From 1; 24 hours each, from its first message on.
    day: int
    #: Messages of this day.
    quota: int
    #: Epoch seconds at which the next day begins.
    grows_at: float
    #: The quota it grows to.
    until: int


@value_class(kw_only=True)
class CampaignStatus:
    """How a campaign stands."""

    name: str
    counts: Counts
    #: Epoch seconds of the last change; None before the first.
    updated_at: float | None
    reasons: tuple[Reason, ...]
    servers: tuple[ServerTally, ...]
    #: What a person ordered; None: nothing.
    halt: Halt | None = None
    #: Whether a run of it is under way, as far as that is to be seen.
    is_running: bool = False
    #: Servers, and groups of recipient domains, that get less for now: of the whole ledger.
    slowed: tuple[Slowed, ...] = ()
    #: Servers that are warming up, of the whole ledger.
    warming: tuple[WarmingUp, ...] = ()


async def status(
    where: Path, campaign: str | None = None, ledger: Path | None = None
) -> list[CampaignStatus]:
    """How campaigns stand: the one that is named (a file, a name), or all of the ledger.

    Raises `ConfigurationError` where there is no such campaign or no ledger.
    """
    async with readable(where, campaign, ledger) as (opened, name):
        if name is not None:
            return [await _status(opened, await known(opened, name))]
        return [await _status(opened, record) for record in await opened.campaigns()]


async def report(
    where: Path, campaign: str, *, state: State | None = None, ledger: Path | None = None
) -> AsyncGenerator[dict[str, object], None]:
    """A dict with the contract's keys for each recipient, in the list's order, streamed.

    Raises `ConfigurationError` as `status` does.
    """
    async with readable(where, campaign, ledger) as (opened, name):
        record = await known(opened, name or campaign)
        async for row in opened.report(record.id, state):
            values = dataclasses.asdict(row)
            values["updated_at"] = rfc3339(row.updated_at)
            values["reason"] = row.reason or _UNTOLD.get(row.state, "")
            yield values


async def suppress_add(where: Path, addresses: Iterable[str], ledger: Path | None = None) -> int:
    """Put addresses on the list, in a ledger that is made where there is none; how many are new.

    Raises `ConfigurationError` with all that are no addresses; nothing was added then.
    """
    addresses = _insist_on_addresses(addresses)
    async with writable(where, ledger) as opened:
        return await opened.suppression().add(addresses, "added by hand")


async def suppress_remove(where: Path, addresses: Iterable[str], ledger: Path | None = None) -> int:
    """Take addresses off the list; how many were on it."""
    addresses = [_as_kept(address) for address in addresses]
    async with writable(where, ledger) as opened:
        return await opened.suppression().remove(addresses)


async def suppress_list(where: Path, ledger: Path | None = None) -> list[tuple[str, str, float]]:
    """The list: address, reason, and when it was added (epoch seconds).

    Whose domain is an IDN is on it in both writings, and here once, as people read it.
    """
    async with readable(where, None, ledger) as (opened, _):
        entries = await opened.suppression().all()
    listed = {entry.address for entry in entries}
    return [
        (entry.address, entry.reason, entry.added_at)
        for entry in entries
        if "xn--" not in entry.address or listed.isdisjoint(spellings(entry.address)[1:])
    ]


async def suppress_import(where: Path, files: Sequence[Path], ledger: Path | None = None) -> int:
    """Put the addresses of files on the list; how many are new.

    Raises `ConfigurationError` with every line that is no address; nothing was added then.
    """
    addresses = [address for file in files for address in read_suppressions(file)]
    async with writable(where, ledger) as opened:
        return await opened.suppression().add(addresses, "imported")


async def _status(ledger: Ledger, record: CampaignRecord) -> CampaignStatus:
    reasons = tuple(
        Reason(
            state=reason.state,
            count=reason.count,
            code=reason.code,
            enhanced_code=reason.enhanced_code,
            reason=reason.text,
            sample=reason.addresses,
        )
        for reason in await ledger.reasons(record.id)
    )
    servers = tuple(
        ServerTally(server=server, sent=counts.sent, other=counts.total - counts.sent)
        for server, counts in (await ledger.by_server(record.id)).items()
    )
    now = SystemClock().time()
    slowed = tuple(
        Slowed(
            scope=slow.scope,
            pace=slow.pace_at(now) or slow.full,
            full=slow.full,
            until=slow.until,
            reason=slow.reason,
        )
        for slow in await ledger.slowdowns()
    )
    return CampaignStatus(
        name=record.name,
        counts=await ledger.counts(record.id),
        updated_at=await ledger.updated_at(record.id),
        reasons=reasons,
        servers=servers,
        halt=record.halt,
        is_running=ledger.lock(record.name).is_held(),
        slowed=slowed,
        warming=tuple(
            WarmingUp(
                server=warming.server,
                day=warming.day(now),
                quota=warming.quota(now),
                grows_at=warming.grows_at(now),
                until=warming.rate.count,
            )
            for warming in await ledger.warm_ups()
            if warming.quota(now) < warming.rate.count
        ),
    )


def _insist_on_addresses(texts: Iterable[str]) -> list[str]:
    """Addresses, and numbers in E.164. Raises `ConfigurationError` with all that are neither."""
    faults, kept = [], []
    for text in texts:
        try:
            kept.append(suppressible(text))
        except ValueError as error:
            faults.append(Fault(message=str(error)))
    if faults:
        raise ConfigurationError(*faults)
    return kept


def _as_kept(text: str) -> str:
    """What a person typed as the list has it; what it cannot have is not on it."""
    try:
        return suppressible(text)
    except (ValueError, ConfigurationError):
        return text
