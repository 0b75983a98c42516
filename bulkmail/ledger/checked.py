"""What was checked of a campaign: by a person as a whole, and each row's own files by anybody.

It is kept by the campaign's name, since a person may check a campaign that was never sent. A note
of a file is that of the last check of its row; `Delivery.files` of a claim has it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bulkmail.clock import Clock
from bulkmail.fate import Delivery, FileNote
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

_PAGE = 2000


@value_class(kw_only=True)
class PersonalCheck:
    """What a person checked, without a fault."""

    #: Epoch seconds.
    at: float
    #: Each part of the campaign, in the application's words, and its digest.
    facts: Mapping[str, str]


@value_class(kw_only=True)
class OwnedFile:
    """A file of somebody who has their message, or may have it."""

    key: str
    row: int
    address: str
    entry: str
    #: As a note has it.
    path: bytes


class Checks:
    """The checks of one campaign. Every method raises `LedgerError`."""

    def __init__(self, driver: Driver, clock: Clock, campaign: str) -> None:
        self._driver = driver
        self._clock = clock
        self._campaign = campaign

    async def note_files(
        self, notes: Iterable[tuple[str, FileNote]], *, by_person: bool = False
    ) -> None:
        """Keep rows' files, each with the row's key, as they are now."""
        rows = [
            {
                "campaign": self._campaign,
                "key": key,
                "entry": note.entry,
                "path": note.path,
                "sha256": bytes.fromhex(note.sha256),
                "by_person": by_person,
            }
            for key, note in notes
        ]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(load("checked")["open"], {"campaign": self._campaign})
            connection.executemany(load("checked")["note file"], rows)

        if rows:
            await self._driver.submit(work, Kind.BULK)

    async def files(
        self, keys: Sequence[str], *, by_person: bool = False
    ) -> dict[str, tuple[FileNote, ...]]:
        """The files of rows by key; with `by_person` as a person checked them, if one did."""
        return await self._driver.submit(
            lambda db: _files(db, self._campaign, keys, by_person=by_person), Kind.READ
        )

    async def owned(self) -> AsyncIterator[OwnedFile]:
        """The own files of those who have their message, or may have it."""
        after = 0
        while page := await self._driver.submit(partial(self._page, after=after), Kind.READ):
            after = int(page[-1][0])
            for _, key, row, address, entry, path in page:
                if path is not None:
                    yield OwnedFile(key=key, row=row, address=address, entry=entry, path=path)

    async def begin(self) -> None:
        """A person checks it: until `passed`, nobody has."""
        await self._set(None)

    async def passed(self, facts: Mapping[str, str]) -> None:
        """A person checked this, and no fault was found."""
        await self._set(facts)

    async def by_person(self) -> PersonalCheck | None:
        """What a person last checked; None: nobody did, or there was a fault."""

        def work(connection: sqlite3.Connection) -> PersonalCheck | None:
            statement = load("checked")["facts"]
            found = connection.execute(statement, {"campaign": self._campaign}).fetchone()
            return found and PersonalCheck(at=found[0], facts=json.loads(found[1]))

        return await self._driver.submit(work, Kind.READ)

    async def forget(self) -> None:
        """Keep nothing of it."""
        await self._driver.submit(lambda db: forget(db, self._campaign), Kind.ALONE)

    async def _set(self, facts: Mapping[str, str] | None) -> None:
        parameters = {
            "campaign": self._campaign,
            "at": self._clock.time(),
            "facts": None if facts is None else json.dumps(dict(facts)),
        }

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(load("checked")["open"], parameters)
            connection.execute(load("checked")["set facts"], parameters)

        await self._driver.submit(work)

    def _page(self, connection: sqlite3.Connection, after: int) -> list[tuple[Any, ...]]:
        parameters = {"campaign": self._campaign, "after": after, "limit": _PAGE}
        return connection.execute(load("checked")["files of others"], parameters).fetchall()


def with_files(
    connection: sqlite3.Connection, campaign_id: int, deliveries: list[Delivery]
) -> list[Delivery]:
    """The deliveries, each with its own files as they were checked."""
    if not deliveries:
        return deliveries
    found = connection.execute(
        load("checked")["has files"], {"campaign_id": campaign_id}
    ).fetchone()
    if found is None:
        return deliveries
    files = _files(connection, found[0], [delivery.key for delivery in deliveries])
    return [
        replace(delivery, files=files[delivery.key]) if delivery.key in files else delivery
        for delivery in deliveries
    ]


def rename(connection: sqlite3.Connection, old: str, new: str) -> None:
    """The campaign has another name; what was checked under that name before is forgotten."""
    forget(connection, new)
    connection.execute(load("checked")["rename"], {"old": old, "new": new})


def forget(connection: sqlite3.Connection, campaign: str) -> None:
    """Keep nothing of a campaign's checks."""
    for statement in ("forget files", "forget"):
        connection.execute(load("checked")[statement], {"campaign": campaign})


def _files(
    connection: sqlite3.Connection, campaign: str, keys: Sequence[str], *, by_person: bool = False
) -> dict[str, tuple[FileNote, ...]]:
    parameters = {"campaign": campaign, "keys": json.dumps(list(keys)), "by_person": by_person}
    found: defaultdict[str, list[FileNote]] = defaultdict(list)
    for key, entry, path, digest in connection.execute(load("checked")["files"], parameters):
        found[key].append(FileNote(entry=entry, path=path, sha256=digest.hex()))
    return {key: tuple(notes) for key, notes in found.items()}
