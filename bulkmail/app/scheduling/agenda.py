"""What is due when, and what became of it: `bulkmail schedule`. Reads, and writes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from bulkmail.app.opening import project_path
from bulkmail.app.places import was_made
from bulkmail.app.scheduling.campaign_folder import CampaignFolder, Scheduled
from bulkmail.clock import Clock, SystemClock, moment
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Counts
from bulkmail.ledger import Ledger, MemoryLedger, OccurrenceRecord
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Coming:
    """A time at which a campaign is due. Epoch seconds."""

    campaign: str
    due_at: float
    #: When it may begin to go out: its window is open. The same as `due_at` where it is then.
    begins_at: float
    #: The same as `due_at` on the wall clock of the campaign's zone: ``2026-12-01T09:00+08:00``.
    local: str


@value_class(kw_only=True)
class Listed:
    """A campaign with a schedule."""

    campaign: str
    path: str
    #: What stands in its file: the moment, the expression, the length of time.
    rule: str
    #: Its zone's name; "" where it is the system's.
    timezone: str
    #: None: it is due no more.
    next: Coming | None
    #: How often it was due.
    occurrences: int
    last: OccurrenceRecord | None


@value_class(kw_only=True)
class Past:
    """A time that has come, and how its campaign stands now."""

    occurrence: OccurrenceRecord
    #: None: the ledger holds nobody of it.
    counts: Counts | None


class Agenda:
    """The schedules of one project, as its files and its ledger have them."""

    def __init__(self, folder: CampaignFolder, ledger: Ledger, clock: Clock) -> None:
        self._folder = folder
        self._book = ledger.series()
        self._ledger = ledger
        self._clock = clock

    async def listed(self, name: str | None = None) -> list[Listed]:
        """Every campaign with a schedule, or the one that is named."""
        return [await self._listed(found) for found in self._of(name)]

    async def coming(self, name: str | None, count: int) -> list[Coming]:
        """The next `count` times of each, in order."""
        found = [at for one in self._of(name) for at in islice(await self._coming(one), count)]
        return sorted(found, key=lambda coming: (coming.due_at, coming.campaign))

    async def history(self, name: str | None = None) -> list[Past]:
        """What became of each time, the latest first."""
        return [
            Past(occurrence=found, counts=await self._counts(found.campaign))
            for found in await self._book.history(name)
        ]

    def _of(self, name: str | None) -> list[Scheduled]:
        found = [one for one in self._folder if name is None or one.campaign.name == name]
        if name is not None and not found:
            names = ", ".join(one.campaign.name for one in self._folder)
            there_are = f"Those that have: {names}." if names else "None has."
            raise ConfigurationError(
                Fault(message=f"no campaign `{name}` has `at` or `every`. {there_are}")
            )
        return found

    async def _listed(self, found: Scheduled) -> Listed:
        schedule, name = found.campaign.model.schedule, found.campaign.name
        past = await self._book.history(name)
        return Listed(
            campaign=name,
            path=str(found.campaign.path),
            rule=f"every {schedule.every}"
            if schedule.at is None
            else f"at {schedule.at.isoformat()}",
            timezone=schedule.timezone or "",
            next=next(await self._coming(found), None),
            occurrences=len(past),
            last=past[0] if past else None,
        )

    async def _coming(self, found: Scheduled) -> Iterator[Coming]:
        table, name = found.timetable, found.campaign.name
        handled = await self._book.handled(name, table.at)
        return (
            Coming(
                campaign=name,
                due_at=due_at,
                begins_at=table.begins_at(due_at),
                local=_to_the_minute(moment(due_at).astimezone(table.zone)),
            )
            for due_at in table.upcoming(self._clock.time(), handled=handled)
        )

    async def _counts(self, campaign: str) -> Counts | None:
        record = await self._ledger.campaign(campaign)
        return await self._ledger.counts(record.id) if record and record.generation else None


def _to_the_minute(local: datetime) -> str:
    return local.isoformat(timespec="seconds" if local.second else "minutes")


@contextlib.asynccontextmanager
async def agenda(
    where: Path, given: Path | None = None
) -> AsyncIterator[tuple[Agenda, list[ConfigurationError]]]:
    """The schedules of the project around `where`, and what is wrong with other files.

    Raises `ConfigurationError` where there is no project.
    """
    clock = SystemClock()
    path = project_path(where, given)
    folder = CampaignFolder(where)
    errors = folder.look()
    if was_made(path):
        ledger = await Ledger.open(path, clock=clock, read_only=True)
    else:
        ledger = MemoryLedger(clock=clock)
    try:
        yield Agenda(folder, ledger, clock), errors
    finally:
        await ledger.close()
