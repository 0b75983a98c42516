"""The ledger and the campaign in it that a command line means, opened to be read or written to.

A campaign's file says where its ledger is and how it is called there; what is no file is a name in
the ledger of the project around the current folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bulkmail.app.places import HOME, LEDGER, ledger_path, nearest_ledger, was_made
from bulkmail.campaign.find import CAMPAIGNS_FOLDER, find_campaign, nearest_with_campaigns
from bulkmail.campaign.load import Campaign, load_project
from bulkmail.campaign.models.campaign import LedgerModel
from bulkmail.campaign.occurrence_name import series_of
from bulkmail.campaign.project import nearest_project
from bulkmail.clock import Clock, SystemClock
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.ledger import CampaignRecord, Ledger, MemoryLedger
from bulkmail.value_class import value_class

#: Campaigns that are named where another one is asked for.
_NAMED = 20


@value_class
class _Place:
    """Where a ledger is, and what bulkmail.yaml says of it."""

    path: Path
    model: LedgerModel


@contextlib.asynccontextmanager
async def readable(
    where: Path, campaign: str | None = None, given: Path | None = None
) -> AsyncIterator[tuple[Ledger, str | None]]:
    """The ledger to read, and the campaign's name in it. Nothing is made or changed.

    Raises `ConfigurationError` where there is none: but a project's own, as long as nothing was
    sent, is an empty one to who asks for no campaign.
    """
    place, name = _find(where, campaign, given)
    clock = SystemClock()
    ledger: Ledger
    if campaign is None and given is None and not was_made(place.path):
        ledger = MemoryLedger(clock=clock)
    else:
        _insist_on(place.path)
        ledger = await Ledger.open(place.path, clock=clock, read_only=True)
    try:
        yield ledger, name
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def writable(where: Path, given: Path | None = None) -> AsyncIterator[Ledger]:
    """The ledger of the project around `where`, or the one given; made where there is none."""
    place = _project_place(where, given)
    ledger = await open_ledger(place.path, place.model, SystemClock())
    try:
        yield ledger
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def project_ledger(
    where: Path, given: Path | None, clock: Clock
) -> AsyncIterator[tuple[Path, Ledger]]:
    """The ledger by which the campaigns of the project around `where` are sent; made when absent.

    Raises `ConfigurationError` where there is no project.
    """
    root = _project_around(where)
    model = load_project(root).ledger
    named = root / (model.path or f"{HOME}/{LEDGER}")
    path = (given or named).absolute()
    ledger = await open_ledger(path, model, clock)
    try:
        yield path, ledger
    finally:
        await ledger.close()


def project_path(where: Path, given: Path | None) -> Path:
    """That ledger's file, whether or not it is there. Raises as `project_ledger` does."""
    if given is not None:
        return given.absolute()
    root = _project_around(where)
    return (root / (load_project(root).ledger.path or f"{HOME}/{LEDGER}")).absolute()


def _project_around(where: Path) -> Path:
    around = nearest_with_campaigns(where)
    # Without bulkmail.yaml and templates/ a campaign's root is its own folder.
    root = nearest_project(where) or (around and around / CAMPAIGNS_FOLDER)
    if root is None:
        raise ConfigurationError(
            Fault(message=f"there is no project around {where}: no bulkmail.yaml, no campaigns/")
        )
    return root


@contextlib.asynccontextmanager
async def to_order(
    where: Path, campaign: str, given: Path | None = None
) -> AsyncIterator[tuple[Ledger, str]]:
    """The ledger to write to, which has to be there, and the campaign's name in it.

    Raises `ConfigurationError` where there is none.
    """
    place, name = _find(where, campaign, given)
    _insist_on(place.path)
    ledger = await open_ledger(place.path, place.model, SystemClock())
    try:
        yield ledger, name or campaign
    finally:
        await ledger.close()


async def open_ledger(path: Path, model: LedgerModel, clock: Clock) -> Ledger:
    """The ledger as bulkmail.yaml wants it kept, to be written to. Raises `LedgerError`."""
    return await Ledger.open(
        path,
        clock=clock,
        durability=model.durability,
        keeps_fields=model.keep_fields == "always",
    )


async def known(ledger: Ledger, name: str, *, is_read: bool = True) -> CampaignRecord:
    """The campaign of that name. Raises `ConfigurationError` with those there are.

    With `is_read` False it may be one whose list was not read to its end yet.
    """
    record = await ledger.campaign(name)
    if record is not None and (record.generation or not is_read):
        return record
    names = [other.name for other in await ledger.campaigns() if other.generation]
    occurrences = [other for other in names if series_of(other) == name]
    shown = ", ".join(names[-_NAMED:])
    there_are = f"It holds {shown}." if names else "It holds none yet."
    if len(names) > _NAMED:
        there_are = f"It holds {len(names)}, the latest are {shown}."
    if occurrences:
        there_are = f"Each of its occurrences is one, the latest is {occurrences[-1]}."
    raise ConfigurationError(
        Fault(message=f"the ledger {ledger.path} holds no campaign `{name}`. {there_are}")
    )


def _insist_on(path: Path) -> None:
    if not was_made(path):
        raise ConfigurationError(
            Fault(message=f"there is no ledger {path}: nothing was sent by it yet")
        )


def _find(where: Path, campaign: str | None, given: Path | None) -> tuple[_Place, str | None]:
    if campaign is None:
        return _project_place(where, given), None
    try:
        loaded = Campaign.load(find_campaign(campaign, where))
    except ConfigurationError:
        # A file that is gone or broken keeps nobody from reading what was sent by it.
        name = Path(campaign).stem if campaign.endswith((".yaml", ".yml")) else campaign
        return _project_place(where, given), name
    return _Place(ledger_path(loaded, given), loaded.project.ledger), loaded.name


def _project_place(where: Path, given: Path | None) -> _Place:
    """The ledger of the project around `where`, whether or not it is there yet."""
    root = nearest_project(where)
    if root is None:
        return _Place(
            given.absolute() if given else nearest_ledger(where), LedgerModel.without_keys()
        )
    if given is not None:
        return _Place(given.absolute(), _ledger_model(root))
    model = load_project(root).ledger
    return _Place((root / model.path).absolute() if model.path else root / HOME / LEDGER, model)


def _ledger_model(root: Path) -> LedgerModel:
    """What bulkmail.yaml says of the ledger; a broken one is in nobody's way where one is given."""
    try:
        return load_project(root).ledger
    except ConfigurationError:
        return LedgerModel.without_keys()
