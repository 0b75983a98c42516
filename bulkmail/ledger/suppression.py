"""The ledger's suppression list: who gets nothing, from any campaign.

Addresses are held in lower case. Adding one applies at once to all who wait; who is removed is
pending again in the campaign's next run (`Enrolment.complete`, `Ledger.rejudge`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class


@value_class
class Suppressed:
    """An address on the list."""

    #: In lower case.
    address: str
    reason: str
    #: Epoch seconds.
    added_at: float


def add(connection: sqlite3.Connection, addresses: Iterable[str], reason: str, now: float) -> int:
    """Put addresses on the list; how many were new to it."""
    sql = load("suppression")
    mailboxes = [{"mailbox": _mailbox(address)} for address in addresses]
    entries = [mailbox | {"reason": reason, "now": now} for mailbox in mailboxes]
    new = connection.executemany(sql["add"], entries).rowcount if entries else 0
    connection.executemany(sql["apply"], (mailbox | {"now": now} for mailbox in mailboxes))
    return new


def remove(connection: sqlite3.Connection, addresses: Iterable[str]) -> int:
    """Take addresses off the list; how many were on it."""
    mailboxes = [{"mailbox": _mailbox(address)} for address in addresses]
    statement = load("suppression")["remove"]
    return connection.executemany(statement, mailboxes).rowcount if mailboxes else 0


def every(connection: sqlite3.Connection) -> list[Suppressed]:
    """The whole list, in the order of the alphabet."""
    return [Suppressed(*columns) for columns in connection.execute(load("suppression")["all"])]


def among(connection: sqlite3.Connection, addresses: Iterable[str]) -> set[str]:
    """Those of `addresses` that are on the list, as they were given."""
    statement = load("suppression")["is listed"]
    return {
        address
        for address in addresses
        if connection.execute(statement, {"mailbox": _mailbox(address)}).fetchone() is not None
    }


def _mailbox(address: str) -> str:
    return address.strip().lower()
