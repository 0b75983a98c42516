"""One run's hold on a campaign: what the engine claims, marks and records.

It meets the `Ledger` of `delivery.ledger_port`. A claim is this run's `owner`, an epoch and a lease
on the row; every result is written only where owner and epoch are still the row's, so a run that
was paused past its lease writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Delivery, Digests, Halt, Orders
from bulkmail.ledger import causes, claims, orders, tries
from bulkmail.ledger.causes import Listed
from bulkmail.ledger.claims import Claim
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Folded, FoldedRow, Kind
from bulkmail.ledger.run_limits import RunLimits
from bulkmail.ledger.statements import load
from bulkmail.ledger.tries import as_json, mark_of, result_of


class CampaignRun(RunLimits):
    """One campaign's deliveries, claimed by one owner. Every method raises `LedgerError`.

    Results are durable when a method returns. A caller that is cancelled while it waits has had
    its effect all the same, but for `claim`: its rows are given back.
    """

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        campaign_id: int,
        *,
        owner: str,
        lease: float,
        listed: Collection[Listed],
        keeps_fields: bool,
        has_siblings: bool = False,
    ) -> None:
        """With siblings, other owners are processes of the same run: theirs is not waited for."""
        super().__init__(driver, clock)
        self._has_siblings = has_siblings
        self._listed = listed
        self._keeps_fields = keeps_fields
        self._campaign_id = campaign_id
        self._owner = owner
        self._lease = lease
        self._scopes: Sequence[str] = ("",)
        #: Whether it is the turn of who was tried before, where only one more can be claimed.
        self._is_turn_of_again = False

    async def divide(self, groups: Mapping[str, Collection[str]]) -> None:
        """Keep the rows of some domains apart: `claim` gives them by the name of their group.

        To be called before anything is claimed. Rows of no group are under the name "".
        """
        self._scopes = ["", *groups]
        await self._driver.submit(
            lambda connection: _divide(connection, self._campaign_id, groups), Kind.ALONE
        )

    async def claim(
        self, limit: int, among: Sequence[int] | None = None, scope: str = ""
    ) -> list[Delivery]:
        """Lease up to `limit` due deliveries. None before a complete pass, or while it is halted.

        Fresh ones and those that were tried before come in turn, of each the oldest due first: a
        long list at a slow pace would else let the patience of who was deferred run out before
        their second try. With `among` only those of these ids; only those of the group `scope`.
        """
        now = self._clock.time()
        self._is_turn_of_again = not self._is_turn_of_again
        claim = Claim(
            campaign_id=self._campaign_id,
            owner=self._owner,
            now=now,
            lease_until=now + self._lease,
            limit=limit,
            scope=scope,
            among=among,
            is_again_first=self._is_turn_of_again,
        )
        # What a power cut takes back of it, nobody lives to miss: whatever the run does with a row
        # lies behind its claim in the one log.
        taken: list[Delivery] = []

        def take(connection: sqlite3.Connection) -> list[Delivery]:
            taken[:] = claims.take(connection, claim)
            return taken

        try:
            return await self._driver.submit(take, Kind.EARLY)
        except asyncio.CancelledError:
            # Nobody waits for these rows any more. It is run behind what takes them.
            self._driver.submit(lambda connection: self._release(connection, taken))
            raise

    def mark(
        self,
        delivery: Delivery,
        started_at: float,
        digests: Digests | None = None,
        *,
        may_wait: bool = False,
    ) -> asyncio.Future[bool]:
        """Make the row `sending`, and keep what is sent. False: do not send.

        Then the claim is no longer ours, or the address was put on the suppression list since it
        was claimed, and the row is suppressed now. `started_at` is the instant of the message: the
        first one is kept, also over a crash. It is asked for when this returns, and durable when
        the future is done. Where it `may_wait`, others share its commit: see `hurry`.
        """
        now = self._clock.time()
        until = now + self._lease
        mark = mark_of(delivery, started_at, digests, owner=self._owner, now=now, lease_until=until)
        kind = Kind.PATIENT if may_wait else Kind.WRITE
        return self._driver.submit(FoldedRow(tries.write, mark), kind)

    def mark_all(
        self, asked: Sequence[tuple[Delivery, float, Digests | None]]
    ) -> asyncio.Future[list[bool]]:
        """`mark` for each of them, as one; of each, what that would have said."""
        now = self._clock.time()
        until = now + self._lease
        marks = [mark_of(*one, owner=self._owner, now=now, lease_until=until) for one in asked]
        return self._driver.submit(Folded(tries.write, marks))

    def record(self, attempt: Attempt) -> asyncio.Future[bool]:
        """Write what a try came to, and end its claim. False: the claim was no longer ours.

        A mark that was asked for before stands before it, whether or not it is durable yet.
        """
        result = result_of(attempt, self._owner, keeps_fields=self._keeps_fields)
        return self._driver.submit(FoldedRow(tries.write, result))

    def record_all(
        self, attempts: Sequence[Attempt], *, may_wait: bool = False
    ) -> asyncio.Future[list[bool]]:
        """`record` for each of them, as one; of each, what that would have said."""
        kind = Kind.PATIENT if may_wait else Kind.WRITE
        results = [result_of(one, self._owner, keeps_fields=self._keeps_fields) for one in attempts]
        return self._driver.submit(Folded(tries.write, results), kind)

    def hurry(self) -> None:
        """Have written at once what may wait; it waits for milliseconds otherwise."""
        self._driver.hurry()

    async def amend(self, delivery: Delivery, reason: str, refused: Mapping[str, str]) -> None:
        """Tell more of a delivery of ours that is `sent`: who of its cc and bcc was refused."""
        parameters = {
            "id": delivery.id,
            "epoch": delivery.epoch,
            "reason": reason,
            "refused": as_json(refused) if refused else None,
            "now": self._clock.time(),
        }
        await self._driver.submit(
            lambda connection: connection.execute(load("run")["amend"], parameters).rowcount
        )

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give claims back untried, as they were before; also those already marked."""
        await self._driver.submit(lambda connection: self._release(connection, deliveries))

    async def postpone(self, deliveries: Sequence[Delivery], due_at: float) -> None:
        """Give claims back untried, as they were before but for when they are due."""
        await self._driver.submit(lambda connection: self._release(connection, deliveries, due_at))

    async def put_under(self, scope: str, deliveries: Sequence[Delivery]) -> None:
        """Give claims back untried, to be claimed by a group's name until `divide` says else."""
        parameters = [(scope, delivery.id, delivery.epoch, self._owner) for delivery in deliveries]

        def put(connection: sqlite3.Connection) -> None:
            connection.executemany(load("run")["put under"], parameters)
            self._release(connection, deliveries)

        await self._driver.submit(put)

    async def next_due_at(self, scopes: Collection[str] | None = None) -> float | None:
        """Epoch seconds at which there may be something to claim; None: nobody waits.

        Claims of other owners count by the end of their leases, this run's own do not, and those
        of its siblings when their leases have ended. Only of these groups, where they are given.
        """
        parameters = {
            "campaign_id": self._campaign_id,
            "owner": self._owner,
            "scopes": json.dumps(list(self._scopes if scopes is None else scopes)),
            "others": not self._has_siblings,
            "now": self._clock.time(),
        }

        def work(connection: sqlite3.Connection) -> float | None:
            (due_at,) = connection.execute(load("run")["next due"], parameters).fetchone()
            return None if due_at is None else float(due_at)

        # What a power cut takes back of what it saw, nobody lives to be told of.
        return await self._driver.submit(work, Kind.EARLY)

    async def heed(self) -> Orders:
        """What a person ordered meanwhile; whom they put back is due by this.

        Where they cancelled, nobody waits any more by this: whoever cancels tells the run first,
        and may not have come to the end of a long list when the run has.
        """
        found, has_put_back = await self._driver.submit(
            lambda db: orders.read(db, self._campaign_id), Kind.READ
        )
        now = self._clock.time()
        if found.halt is Halt.CANCELLED:
            parameters = {"campaign_id": self._campaign_id, "now": now}
            await orders.end_cancelled(
                self._driver, parameters | {"keep_fields": self._keeps_fields}
            )
            return found
        if not has_put_back:
            return found
        count = await self._driver.submit(
            lambda db: causes.admit(db, self._campaign_id, self._listed, now), Kind.ALONE
        )
        return replace(found, put_back=count)

    async def renew(self) -> None:
        """Extend the lease of every claim of this run."""
        lease_until = self._clock.time() + self._lease
        parameters = {"campaign_id": self._campaign_id, "owner": self._owner}
        await self._driver.submit(
            lambda connection: (
                connection.execute(
                    load("run")["renew"], parameters | {"lease_until": lease_until}
                ).rowcount
            ),
            Kind.EARLY,
        )

    def _release(
        self,
        connection: sqlite3.Connection,
        deliveries: Sequence[Delivery],
        due_at: float | None = None,
    ) -> None:
        sql = load("run")
        for delivery in deliveries:
            parameters: dict[str, object] = {"id": delivery.id, "epoch": delivery.epoch}
            parameters |= {"owner": self._owner, "due_at": due_at}
            connection.execute(sql["release" if due_at is None else "postpone"], parameters)
            parameters |= {"now": self._clock.time(), "keep_fields": self._keeps_fields}
            connection.execute(sql["apply suppression"], parameters)
            connection.execute(sql["apply cancellation"], parameters)


def _divide(
    connection: sqlite3.Connection, campaign_id: int, groups: Mapping[str, Collection[str]]
) -> None:
    sql = load("run")
    domains = json.dumps(sorted({domain for group in groups.values() for domain in group}))
    connection.execute(sql["undivide"], {"campaign_id": campaign_id, "domains": domains})
    for scope, group in groups.items():
        parameters = {"scope": scope, "domains": json.dumps(sorted(group))}
        connection.execute(sql["divide"], parameters | {"campaign_id": campaign_id})
