"""The ledger's suppression list: who gets nothing, from any campaign.

Addresses are held in lower case; one with an IDN domain in both writings, in A-labels and without,
for a row may have either. Adding one applies at once to all who wait; who is removed is
pending again in the campaign's next run (`Enrolment.complete`, `Ledger.rejudge`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import partial
from itertools import islice

from bulkmail.address import spellings
from bulkmail.clock import Clock
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: Addresses in one commit.
_BATCH = 5000


@value_class
class Suppressed:
    """An address on the list."""

    #: In lower case.
    address: str
    reason: str
    #: Epoch seconds.
    added_at: float


class SuppressionList:
    """The list of one ledger. Every method raises `LedgerError`."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock

    async def add(self, addresses: Iterable[str], reason: str) -> int:
        """Put addresses on it; how many were new.

        Who waits in any campaign, and is not claimed, is suppressed at once; who is claimed, when
        that try did not send.
        """
        now = self._clock.time()
        added, left = 0, iter(addresses)
        while batch := list(islice(left, _BATCH)):
            added += await self._driver.submit(
                partial(add, addresses=batch, reason=reason, now=now)
            )
        return added

    async def remove(self, addresses: Iterable[str]) -> int:
        """Take addresses off it; how many were on it. They are pending in the next run."""
        return await self._driver.submit(lambda db: _remove(db, addresses))

    async def all(self) -> list[Suppressed]:
        """The whole list, in the order of the alphabet."""
        return await self._driver.submit(_all, Kind.READ)

    async def among(self, addresses: Iterable[str]) -> set[str]:
        """Those of `addresses` that are on it, as they were given: for cc and bcc."""
        return await self._driver.submit(lambda db: _among(db, addresses), Kind.READ)


def add(connection: sqlite3.Connection, addresses: Iterable[str], reason: str, now: float) -> int:
    """As `SuppressionList.add`, in one transaction of the caller's."""
    sql = load("suppression")
    named = [spellings(address) for address in addresses]
    written = [{"mailbox": names[0], "reason": reason, "now": now} for names in named]
    others = [
        {"mailbox": name, "reason": reason, "now": now} for names in named for name in names[1:]
    ]
    new = connection.executemany(sql["add"], written).rowcount if written else 0
    connection.executemany(sql["add"], others)
    mailboxes = ({"mailbox": name, "now": now} for names in named for name in names)
    connection.executemany(sql["apply"], mailboxes)
    return new


def _remove(connection: sqlite3.Connection, addresses: Iterable[str]) -> int:
    statement = load("suppression")["remove"]
    return sum(
        connection.executemany(statement, [{"mailbox": name} for name in names]).rowcount > 0
        for names in map(spellings, addresses)
    )


def _all(connection: sqlite3.Connection) -> list[Suppressed]:
    return [Suppressed(*columns) for columns in connection.execute(load("suppression")["all"])]


def _among(connection: sqlite3.Connection, addresses: Iterable[str]) -> set[str]:
    statement = load("suppression")["is listed"]
    return {
        address
        for address in addresses
        if any(connection.execute(statement, {"mailbox": n}).fetchone() for n in spellings(address))
    }
