"""What a person orders of a campaign: pause, resume, cancel, try again, decide, purge.

Orders are rows and columns of the ledger, so they reach a run in any process: it heeds them (see
`CampaignRun.heed`). Whoever is put back is pending with no `due_at`; the run under way, or the next
one, asks the suppression lists first and makes them due (`causes.admit`). Long orders are
carried out some thousands of rows at a time, so that a run is not kept from its commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial

from bulkmail.clock import Clock
from bulkmail.fate import Halt, Orders, State
from bulkmail.ledger.connection import FOLD_LOG
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: Rows in one commit.
BATCH = 5000
#: As many as there are.
EVERYBODY = 2**53


@value_class
class PutBack:
    """What came of an order to try again."""

    #: Deliveries that are pending again.
    count: int
    #: Those of the same state and code that stay as they are: a bad row, gone from the list, on a
    #: suppression list, or in a run's hands right now.
    left: int


class CampaignOrders:
    """A person's hold on one campaign. Every method raises `LedgerError`.

    All but `purge` may be used while a run is under way.
    """

    def __init__(
        self, driver: Driver, clock: Clock, campaign_id: int, *, keeps_fields: bool
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._campaign_id = campaign_id
        self._keeps_fields = keeps_fields

    async def pause(self) -> None:
        """Let nothing more begin until `resume`; a run under way waits."""
        await self._halt(Halt.PAUSED)

    async def cancel(self) -> int:
        """Suppress who was not sent to, now and in later passes; how many were.

        What a run has in its hands is suppressed when it comes back unsent. A run that heeds the
        order suppresses whom it finds as well: its counts are whole however far this has come.
        """
        parameters = self._parameters() | {"halt": Halt.CANCELLED}

        def begin(connection: sqlite3.Connection) -> int:
            before = _number(connection, "cancelled count", parameters)
            connection.execute(load("orders")["set halt"], parameters)
            return before

        before = await self._driver.submit(begin)
        await end_cancelled(self._driver, parameters)
        return await self.cancelled() - before

    async def cancelled(self) -> int:
        """How many deliveries a cancellation suppressed."""
        parameters = {"campaign_id": self._campaign_id}

        def work(connection: sqlite3.Connection) -> int:
            return _number(connection, "cancelled count", parameters)

        return await self._driver.submit(work, Kind.READ)

    async def resume(self) -> None:
        """Lift what halts the campaign. Who was suppressed by a cancellation stays so: `retry`."""
        await self._halt(None)

    async def retry(self, state: State, code: str | None = None) -> PutBack:
        """Put back those in `state`: pending, with attempts, doubts and give-up clock reset.

        With `code` only those whose last reply had it: a reply code or its first digits (``552``,
        ``5``), or an enhanced code or its first parts (``5.2.2``, ``5.2``). Of the suppressed,
        only the cancelled can be put back. A cancellation is lifted.
        """
        return await self._put_back(state, code, forget_doubts=True)

    async def resend(self) -> PutBack:
        """Put back who is in doubt. Another doubt about the same delivery is held."""
        return await self._put_back(State.IN_DOUBT, None, forget_doubts=False)

    async def resolve(self) -> int:
        """Take it as known that those in doubt have their message; how many are `sent` by it."""
        parameters = self._parameters()

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(load("orders")["resolve sent"], parameters).rowcount

        return await self._driver.submit(work)

    async def purge(self) -> int:
        """Drop the row data of all deliveries; how many had any. For who holds the lock.

        Outcomes, keys and addresses stay: by them nobody is sent to twice.
        """
        parameters = {"campaign_id": self._campaign_id}
        await self._driver.submit(lambda db: db.execute(load("orders")["forget list"], parameters))
        dropped = after = 0
        while page := await self._driver.submit(partial(self._drop_page, after=after)):
            after, count = page
            dropped += count
        await self._driver.submit(lambda db: db.execute(FOLD_LOG).fetchall(), Kind.READ)
        return dropped

    async def _halt(self, halt: Halt | None) -> None:
        parameters = {"campaign_id": self._campaign_id, "halt": halt}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(load("orders")["set halt"], parameters)
            connection.execute(load("orders")["free doubts"], parameters)

        await self._driver.submit(work)

    async def _put_back(self, state: State, code: str | None, *, forget_doubts: bool) -> PutBack:
        is_enhanced = code is not None and "." in code
        parameters = self._parameters() | {
            "state": state,
            "code": None if is_enhanced else code,
            "enhanced": code if is_enhanced else None,
            "forget_doubts": forget_doubts,
            "limit": BATCH,
        }

        def begin(connection: sqlite3.Connection) -> int:
            connection.execute(load("orders")["lift cancellation"], parameters)
            connection.execute(load("orders")["free doubts"], parameters)
            return _number(connection, "matching", parameters)

        def some(connection: sqlite3.Connection) -> int:
            return connection.execute(load("orders")["put back"], parameters).rowcount

        matching = await self._driver.submit(begin)
        count = await _in_batches(self._driver, some)
        return PutBack(count, max(0, matching - count))

    def _drop_page(self, connection: sqlite3.Connection, after: int) -> tuple[int, int] | None:
        sql = load("orders")
        parameters = {"campaign_id": self._campaign_id, "after": after, "limit": BATCH}
        ids = connection.execute(sql["page"], parameters).fetchall()
        if not ids:
            return None
        return ids[-1][0], connection.executemany(sql["drop fields"], ids).rowcount

    def _parameters(self) -> dict[str, object]:
        return {
            "campaign_id": self._campaign_id,
            "keep_fields": self._keeps_fields,
            "now": self._clock.time(),
        }


def read(connection: sqlite3.Connection, campaign_id: int) -> tuple[Orders, bool]:
    """The campaign's halt, and whether deliveries were put back that can be taken up."""
    statement = load("orders")["orders"]
    found = connection.execute(statement, {"campaign_id": campaign_id}).fetchone()
    halt, has_put_back = found or (None, False)
    return Orders(halt=Halt(halt) if halt else None), bool(has_put_back)


def cancel(
    connection: sqlite3.Connection, parameters: Mapping[str, object], limit: int = EVERYBODY
) -> int:
    """Suppress up to `limit` of those who wait, where the campaign is cancelled; how many.

    `parameters` are `campaign_id`, `keep_fields` and `now`. What is in doubt counts as well.
    """
    found = connection.execute(load("orders")["halt"], parameters).fetchone()
    if found != (Halt.CANCELLED,):
        return 0
    return connection.execute(load("orders")["cancel"], {**parameters, "limit": limit}).rowcount


async def end_cancelled(driver: Driver, parameters: Mapping[str, object]) -> int:
    """Suppress all who wait in a cancelled campaign, some thousands in one commit; how many."""
    return await _in_batches(driver, partial(cancel, parameters=parameters, limit=BATCH))


async def _in_batches(driver: Driver, some: Callable[[sqlite3.Connection], int]) -> int:
    done = 0
    while count := await driver.submit(some):
        done += count
        if count < BATCH:
            break
    return done


def _number(
    connection: sqlite3.Connection, statement: str, parameters: Mapping[str, object]
) -> int:
    (number,) = connection.execute(load("orders")[statement], parameters).fetchone()
    return int(number)
