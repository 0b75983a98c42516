"""What the ledger knows of schedules: when a campaign was first seen, and each time it was due.

An occurrence is one time: of `every` it has a campaign of its own in the ledger, of `at` the
campaign itself. It is written down before anything of it is read or sent, so that whoever comes
next knows of it, whatever stops in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any, Literal

from bulkmail.clock import Clock
from bulkmail.ledger import newcomers
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: How an occurrence ended. `superseded`: it never came to read its list, and a later one did.
Outcome = Literal["done", "nobody", "too late", "superseded"]

#: Lines of the history that are read at most.
_MOST = 10_000
#: Seconds by which a clock that is set back may have been ahead, and what was begun by it counts.
_CREDIBLE = 86400.0
#: The id of no campaign: one that is not in the ledger yet.
_NOBODYS = -1


@value_class
class OccurrenceRecord:
    """One time a campaign was due. Epoch seconds."""

    series: str
    due_at: float
    #: The ledger's name of its campaign.
    campaign: str
    #: Earlier times that were missed, and run as one with it.
    missed: int
    #: When its list began to be read, the last time that was tried.
    begun_at: float
    ended_at: float | None
    #: None: it is under way, or waits.
    outcome: Outcome | None
    #: Why it ended so, or what it waits for.
    reason: str


class SeriesBook:
    """The schedules of one ledger. Every method raises `LedgerError`."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock

    async def see(self, series: str) -> float:
        """Note that a campaign was seen; when it was for the first time, and not behind now."""
        parameters = {"series": series, "now": self._clock.time()}

        def work(connection: sqlite3.Connection) -> float:
            connection.execute(load("series")["see"], parameters)
            return float(_value(connection, "first seen", parameters))

        return await self._driver.submit(work)

    async def first_seen(self, series: str) -> float | None:
        """When a campaign was first seen; None: not yet."""
        return await self._read("first seen", {"series": series})

    async def handled(self, series: str, at: float | None = None) -> float | None:
        """The last time of it that was begun or skipped, or `at` if it was; None: none.

        One of more than a day ahead, begun by a clock that was wrong, holds up none before it.
        """
        if at is None:
            farthest = self._clock.time() + _CREDIBLE
            return await self._read("handled", {"series": series, "farthest": farthest})
        return await self._read("handled at", {"series": series, "at": at})

    async def last_read(self, series: str, before: float) -> float | None:
        """When the list was read for the occurrence before the one due then; None: never."""
        return await self._read("last read", {"series": series, "due_at": before})

    async def held(self, series: str, keys: Collection[str]) -> set[str]:
        """Those of the keys that the next occurrence would leave out, being held by an earlier one.

        Whether it does is the campaign's `only_new`.
        """
        return await self._driver.submit(
            lambda db: newcomers.held(db, newcomers.Series(series), _NOBODYS, keys), Kind.READ
        )

    async def unfinished(self, series: str) -> list[OccurrenceRecord]:
        """Those of which something is left to do, the oldest first."""
        return await self._records("unfinished", {"series": series})

    async def history(
        self, series: str | None = None, limit: int = _MOST
    ) -> list[OccurrenceRecord]:
        """What became of each time, the latest first; None: of all campaigns."""
        return await self._records("occurrences", {"series": series, "limit": limit})

    async def open(
        self, series: str, due_at: float, *, campaign: str, missed: int = 0
    ) -> OccurrenceRecord:
        """Write down that a time has come, before anything of it is read or sent."""
        parameters = {"series": series, "due_at": due_at, "campaign": campaign, "missed": missed}
        await self._write("open", **parameters)
        now = self._clock.time()
        return OccurrenceRecord(series, due_at, campaign, missed, now, None, None, "")

    async def begin(self, occurrence: OccurrenceRecord) -> float:
        """Its list is about to be read; the instant that is noted as when it was."""
        now = self._clock.time()
        await self._write(
            "begin again", series=occurrence.series, due_at=occurrence.due_at, now=now
        )
        return now

    async def note(self, occurrence: OccurrenceRecord, reason: str) -> None:
        """It waits, or cannot go on, and why."""
        await self._write("note", series=occurrence.series, due_at=occurrence.due_at, reason=reason)

    async def end(self, occurrence: OccurrenceRecord, outcome: Outcome, reason: str = "") -> None:
        """It is over."""
        await self._write(
            "end",
            series=occurrence.series,
            due_at=occurrence.due_at,
            outcome=outcome,
            reason=reason,
        )

    async def too_late(self, campaign_id: int, reason: str) -> int:
        """Suppress who waits in a campaign that nobody is at work on; how many."""
        parameters = {"campaign_id": campaign_id, "reason": reason, "now": self._clock.time()}

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(load("series")["too late"], parameters).rowcount

        return await self._driver.submit(work, Kind.ALONE)

    async def in_time_again(self, campaign_id: int) -> None:
        """Let those wait who were too late for an earlier time of the same campaign."""
        parameters = {"campaign_id": campaign_id, "now": self._clock.time()}
        await self._driver.submit(
            lambda db: db.execute(load("series")["in time again"], parameters), Kind.ALONE
        )

    async def _read(self, statement: str, parameters: dict[str, Any]) -> float | None:
        value = await self._driver.submit(
            lambda connection: _value(connection, statement, parameters), Kind.READ
        )
        return None if value is None else float(value)

    async def _records(self, statement: str, parameters: dict[str, Any]) -> list[OccurrenceRecord]:
        def work(connection: sqlite3.Connection) -> list[OccurrenceRecord]:
            found = connection.execute(load("series")[statement], parameters)
            return [OccurrenceRecord(*row) for row in found]

        return await self._driver.submit(work, Kind.READ)

    async def _write(self, statement: str, **parameters: Any) -> None:
        values = {"now": self._clock.time()} | parameters
        await self._driver.submit(lambda db: db.execute(load("series")[statement], values))


def _value(connection: sqlite3.Connection, statement: str, parameters: dict[str, Any]) -> Any:
    row = connection.execute(load("series")[statement], parameters).fetchone()
    return None if row is None else row[0]
