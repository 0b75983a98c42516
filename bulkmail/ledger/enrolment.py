"""Enrolment: one pass over the list, into the ledger.

A pass is a *generation*. Its rows come in batches, each in a short transaction, so that other
campaigns go on; what they mean for states is decided in the one transaction that completes it.
From `begin` to `complete` nothing of the campaign can be claimed and its list counts as unknown
(`list_sha256` is None), so a pass that was cut off, or given up, is followed by another. What is
held against a row by then is in `causes`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bulkmail.clock import Clock
from bulkmail.errors import LedgerError
from bulkmail.fate import Counts, Delivery
from bulkmail.ledger import campaigns, causes, newcomers, reading
from bulkmail.ledger.causes import Listed
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.newcomers import Series
from bulkmail.ledger.statements import bindable, execute_for, load

#: Later than every pass: for who holds the campaign's lock.
_ANY_PASS = 2**53

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _one_encoder() -> Callable[[Mapping[str, Any]], str]:
    """`_ENCODER.encode`, but for what it makes anew each time; values are as JSON has them.

    That is more than it takes to encode a row.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # another Python
        return _ENCODER.encode
    quoted = json.encoder.encode_basestring
    chunks = make(None, _ENCODER.default, quoted, None, ":", ",", False, False, True)  # noqa: FBT003  # its C takes them by place
    return lambda columns: "".join(chunks(columns, 0))


#: Columns as the ledger keeps them; one encoder for all rows.
_encoded = _one_encoder()


class NewRow(NamedTuple):
    """A row of the list."""

    #: From 1, the first data row.
    row: int
    key: str
    #: The address alone, as it goes on the wire; suppression looks at it in lower case.
    address: str
    domain: str
    #: Every column; JSON values.
    fields: Mapping[str, Any]
    #: With angle brackets. Kept from the row's first enrolment; ignored for a known key.
    message_id: str
    #: Why the row cannot be sent (`failed`), where it cannot.
    invalid: str | None = None
    #: Why the row gets nothing (`suppressed`), where the list itself says so. Suppression files
    #: go to `complete` and `rejudge` instead: they change while the list does not.
    suppressed: str | None = None


class Enrolment:
    """A pass under way. End it by `complete` or `abandon`; a crash is as good as the latter."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        *,
        campaign_id: int,
        generation: int,
        origin: str,
        from_domain: str,
        path: str,
        key_column: str,
        keeps_fields: bool,
        series: Series | None = None,
    ) -> None:
        self._keeps_fields = keeps_fields
        self._series = series
        #: Rows that are not enrolled: an earlier occurrence of the series holds their keys.
        self.left_out = 0
        self._driver = driver
        self._clock = clock
        self._generation = generation
        self._path = path
        self._key_column = key_column
        self.campaign_id = campaign_id
        #: The name Message-IDs of this campaign are made of: its own at the first enrolment.
        self.origin = origin
        #: The domain Message-IDs of this campaign end in: From's at the first enrolment.
        self.from_domain = from_domain

    async def add(self, rows: Sequence[NewRow]) -> None:
        """Enrol some rows, in the list's order; some thousands a call make it quick.

        New keys become pending rows. Known ones take the row's number, and fields and address
        where they are not sent. A key that stood earlier in this pass is noted as a duplicate.
        """
        now = self._clock.time()
        await self._driver.submit(lambda connection: self._add(connection, rows, now), Kind.BULK)

    async def rows(self, *, after: int = 0, limit: int) -> list[Delivery]:
        """Up to `limit` rows of this pass that are to be sent, as far as the list itself goes.

        They come in the order of enrolment, behind the one whose id is `after`. Suppression is
        not applied yet; rows that are sent, or failed at a server, are left out.
        """
        parameters = {"campaign_id": self.campaign_id, "generation": self._generation}
        parameters |= {"after": after, "limit": limit}

        def work(connection: sqlite3.Connection) -> list[Delivery]:
            found = connection.execute(load("enrolment")["pass"], parameters)
            return [reading.read_delivery(columns) for columns in found]

        return await self._driver.submit(work, Kind.READ)

    async def complete(self, *, list_sha256: str, listed: Iterable[Listed] = ()) -> Counts:
        """Judge all rows and make this generation the campaign's, at once or not at all.

        `listed` are the addresses of the campaign's own suppression files, with a reason each; it
        is iterated in the ledger's thread. The ledger's own list applies by itself.
        """
        now = self._clock.time()
        return await self._driver.submit(
            lambda connection: self._complete(connection, list_sha256, listed, now), Kind.ALONE
        )

    async def abandon(self) -> None:
        """Give the pass up: rows born in it are deleted, and a campaign new with it is too."""
        await remove_unborn(self._driver, self.campaign_id, self._generation)
        await self._driver.submit(self._forget)

    def _add(self, connection: sqlite3.Connection, rows: Sequence[NewRow], now: float) -> None:
        sql = load("enrolment")
        self._check_open(connection)
        if self._series is not None and self._series.only_new:
            keys = [row.key for row in rows]
            known = newcomers.held(connection, self._series, self.campaign_id, keys)
            self.left_out += sum(key in known for key in keys)
            rows = [row for row in rows if row.key not in known]
        told = [self._parameters(row, now) for row in rows]
        enrolled = sum(changed for _, changed in execute_for(connection, sql["enrol"], told))
        if enrolled < len(rows):
            connection.executemany(
                sql["note duplicate"],
                (
                    {
                        "campaign_id": self.campaign_id,
                        "generation": self._generation,
                        "row_number": row.row,
                        "key": row.key,
                    }
                    for row in rows
                ),
            )

    def _parameters(self, row: NewRow, now: float) -> tuple[object, ...]:
        """As the statement has them."""
        mailbox = row.address.lower()
        return (
            self.campaign_id,
            self._generation,
            self._generation,
            row.row,
            row.key,
            row.address,
            None if mailbox == row.key else mailbox,
            row.domain,
            row.message_id,
            "failed" if row.invalid else "suppressed" if row.suppressed else None,
            row.invalid or row.suppressed,
            0,
            now,
            _encoded(row.fields),
        )

    def _complete(
        self,
        connection: sqlite3.Connection,
        list_sha256: str,
        listed: Iterable[Listed],
        now: float,
    ) -> Counts:
        sql = load("enrolment")
        self._check_open(connection)
        parameters = {
            "campaign_id": self.campaign_id,
            "generation": self._generation,
            "list_sha256": list_sha256,
            "path": bindable(self._path),
            "key_column": self._key_column,
            "now": now,
            "recheck": True,
            "keep_fields": self._keeps_fields,
        }
        if self._series is not None:
            self.left_out += newcomers.settle(
                connection, self._series, self.campaign_id, self._generation
            )
        connection.execute(sql["complete"], parameters)
        causes.judge_pass(connection, parameters, listed)
        connection.execute(sql["remove other duplicates"], parameters)
        return reading.counts(connection, self.campaign_id)

    def _forget(self, connection: sqlite3.Connection) -> None:
        sql = load("enrolment")
        parameters = {"campaign_id": self.campaign_id, "generation": self._generation}
        if self._is_open(connection):
            connection.execute(sql["remove duplicates"], parameters)
            connection.execute(sql["forget"], parameters)

    def _is_open(self, connection: sqlite3.Connection) -> bool:
        parameters = {"campaign_id": self.campaign_id, "generation": self._generation}
        return connection.execute(load("enrolment")["is open"], parameters).fetchone() is not None

    def _check_open(self, connection: sqlite3.Connection) -> None:
        if not self._is_open(connection):
            raise LedgerError(
                "This enrolment is over: it was completed or abandoned, or another one was begun"
            )


async def begin(
    driver: Driver,
    clock: Clock,
    name: str,
    *,
    path: str,
    key_column: str,
    from_domain: str,
    origin: str | None = None,
    keeps_fields: bool,
    series: Series | None = None,
) -> Enrolment:
    """Begin a pass, after what an earlier one left behind is deleted."""
    sql = load("enrolment")

    def found(connection: sqlite3.Connection) -> tuple[int, int, str, str]:
        parameters = {"name": name, "path": bindable(path), "key_column": key_column}
        parameters |= {"from_domain": from_domain}
        parameters |= {"origin": origin or campaigns.origin(connection, name)}
        connection.execute(sql["found"], parameters | {"now": clock.time()})
        ((id_, *kept),) = connection.execute(sql["open generation"], {"name": name})
        return id_, *kept

    campaign_id, generation, kept_origin, domain = await driver.submit(found)
    await remove_unborn(driver, campaign_id, generation)
    return Enrolment(
        driver,
        clock,
        campaign_id=campaign_id,
        generation=generation,
        origin=kept_origin,
        from_domain=domain,
        path=path,
        key_column=key_column,
        keeps_fields=keeps_fields,
        series=series,
    )


async def remove_unborn(driver: Driver, campaign_id: int, latest: int) -> None:
    """Delete the rows of passes that were never completed, some thousands at a time.

    But not those that a pass behind `latest` has seen: it was begun by who took over.
    """
    sql = load("enrolment")
    parameters = {"campaign_id": campaign_id, "latest": latest}

    def remove(connection: sqlite3.Connection) -> int:
        some = connection.execute(sql["unborn"], parameters).fetchall()
        return connection.executemany(sql["remove"], some).rowcount if some else 0

    while await driver.submit(remove, Kind.BULK):
        pass


async def remove_unfinished(driver: Driver, campaign_id: int) -> None:
    """Delete a campaign of which no pass was ever completed."""
    await remove_unborn(driver, campaign_id, _ANY_PASS)
    parameters = {"campaign_id": campaign_id, "generation": 0}

    def remove(connection: sqlite3.Connection) -> None:
        connection.execute(load("enrolment")["remove other duplicates"], parameters)
        connection.execute(load("enrolment")["forget"], parameters)

    await driver.submit(remove)
