"""What the ledger says: `status`, `report` and the suppression list."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkmail.address import parse_address, printable
from bulkmail.app.places import HOME, LEDGER, ledger_path, nearest_ledger
from bulkmail.campaign.find import find_campaign
from bulkmail.campaign.load import Campaign, load_project
from bulkmail.campaign.project import nearest_project
from bulkmail.campaign.rules import unsafe_name
from bulkmail.campaign.suppression import read_suppressions
from bulkmail.clock import SystemClock, rfc3339
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Counts, State
from bulkmail.ledger import CampaignRecord, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Recipients who ended, or are held, for the same reason."""

    state: State
    count: int
    code: int | None
    enhanced_code: str | None
    reason: str
    #: A few of their addresses.
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTally:
    """What one server did for a campaign."""

    server: str
    sent: int
    #: Recipients whose last try was by it and was not accepted.
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """How a campaign stands."""

    name: str
    counts: Counts
    #: Epoch seconds of the last change; None before the first.
    updated_at: float | None
    reasons: tuple[Reason, ...]
    servers: tuple[ServerTally, ...]


async def status(
    where: Path, campaign: str | None = None, ledger: Path | None = None
) -> list[CampaignStatus]:
    """How campaigns stand: the one that is named (a file, a name), or all of the ledger.

    Raises `ConfigurationError` where there is no such campaign or no ledger.
    """
    async with _opened(where, campaign, ledger) as (opened, name):
        if name is not None:
            return [await _status(opened, await _known(opened, name))]
        return [await _status(opened, record) for record in await opened.campaigns()]


async def report(
    where: Path, campaign: str, *, state: State | None = None, ledger: Path | None = None
) -> AsyncGenerator[dict[str, object], None]:
    """A dict with the contract's keys for each recipient, in the list's order, streamed.

    Raises `ConfigurationError` as `status` does.
    """
    async with _opened(where, campaign, ledger) as (opened, name):
        record = await _known(opened, name or campaign)
        async for row in opened.report(record.id, state):
            values = dataclasses.asdict(row)
            values["updated_at"] = rfc3339(row.updated_at)
            yield values


async def rename(where: Path, old: str, new: str, ledger: Path | None = None) -> None:
    """Give a campaign another name in the ledger, while no run of it is under way.

    Raises `ConfigurationError` where there is no such campaign or ledger, one of that name, a run,
    or a name that cannot be.
    """
    if sentence := unsafe_name(new):
        raise ConfigurationError(Fault(message=f"the new name: {sentence}"))
    path = (ledger or _project_ledger(where)).absolute()
    _insist_on(path)
    async with writable_ledger(where, path) as opened:
        with opened.lock(old), opened.lock(new) if new != old else contextlib.nullcontext():
            await opened.rename(old, new)


async def suppress_add(where: Path, addresses: Iterable[str], ledger: Path | None = None) -> int:
    """Put addresses on the list, in a ledger that is made where there is none; how many are new.

    Raises `ConfigurationError` with all that are no addresses; nothing was added then.
    """
    addresses = list(addresses)
    _insist_on_addresses(addresses)
    async with writable_ledger(where, ledger) as opened:
        return await opened.suppress_add(addresses, "added by hand")


async def suppress_remove(where: Path, addresses: Iterable[str], ledger: Path | None = None) -> int:
    """Take addresses off the list; how many were on it."""
    async with writable_ledger(where, ledger) as opened:
        return await opened.suppress_remove(addresses)


async def suppress_list(where: Path, ledger: Path | None = None) -> list[tuple[str, str, float]]:
    """The list: address, reason, and when it was added (epoch seconds)."""
    async with _opened(where, None, ledger) as (opened, _):
        return [
            (entry.address, entry.reason, entry.added_at) for entry in await opened.suppressed()
        ]


async def suppress_import(where: Path, files: Sequence[Path], ledger: Path | None = None) -> int:
    """Put the addresses of files on the list; how many are new.

    Raises `ConfigurationError` with every line that is no address; nothing was added then.
    """
    addresses = [address for file in files for address in read_suppressions(file)]
    async with writable_ledger(where, ledger) as opened:
        return await opened.suppress_add(addresses, "imported")


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
    return CampaignStatus(
        name=record.name,
        counts=await ledger.counts(record.id),
        updated_at=await ledger.updated_at(record.id),
        reasons=reasons,
        servers=servers,
    )


async def _known(ledger: Ledger, name: str) -> CampaignRecord:
    record = await ledger.campaign(name)
    if record is not None and record.generation:
        return record
    names = ", ".join(other.name for other in await ledger.campaigns() if other.generation)
    there_are = f"It holds {names}." if names else "It holds none yet."
    raise ConfigurationError(
        Fault(message=f"the ledger {ledger.path} holds no campaign `{name}`. {there_are}")
    )


@contextlib.asynccontextmanager
async def _opened(
    where: Path, campaign: str | None, given: Path | None
) -> AsyncIterator[tuple[Ledger, str | None]]:
    """The ledger to read, and the campaign's name in it."""
    path, name = _find(where, campaign, given)
    _insist_on(path)
    ledger = await Ledger.open(path, clock=SystemClock(), read_only=True)
    try:
        yield ledger, name
    finally:
        await ledger.close()


def _insist_on(path: Path) -> None:
    if not path.is_file():
        raise ConfigurationError(
            Fault(message=f"there is no ledger {path}: nothing was sent by it yet")
        )


def _insist_on_addresses(texts: Iterable[str]) -> None:
    faults = []
    for text in texts:
        try:
            parse_address(text)
        except ValueError as error:
            faults.append(Fault(message=f"`{printable(text)}` is not an address: {error}"))
    if faults:
        raise ConfigurationError(*faults)


def _find(where: Path, campaign: str | None, given: Path | None) -> tuple[Path, str | None]:
    """A campaign's file says where its ledger is; what is no file is a name in the ledger."""
    if campaign is None:
        return given or _project_ledger(where), None
    try:
        loaded = Campaign.load(find_campaign(campaign, where))
    except ConfigurationError:
        # A file that is gone or broken keeps nobody from reading what was sent by it.
        name = Path(campaign).stem if campaign.endswith((".yaml", ".yml")) else campaign
        return given or _project_ledger(where), name
    return ledger_path(loaded, given), loaded.name


def _project_ledger(where: Path) -> Path:
    """The ledger of the project around `where`, whether or not it is there yet."""
    root = nearest_project(where)
    if root is None:
        return nearest_ledger(where)
    named = load_project(root).ledger.path
    return (root / named).absolute() if named else root / HOME / LEDGER


@contextlib.asynccontextmanager
async def writable_ledger(where: Path, given: Path | None) -> AsyncIterator[Ledger]:
    """The ledger of the project around `where`, or the one given, to write to."""
    ledger = await Ledger.open(given or _project_ledger(where), clock=SystemClock())
    try:
        yield ledger
    finally:
        await ledger.close()
