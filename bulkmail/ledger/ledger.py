"""The ledger: every recipient's fate, and the limits of servers, over all campaigns.

`Ledger.open` gives the one in a file; `MemoryLedger` is the same statements in memory, for users
of the library and for tests. One object serves one event loop.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from bulkmail.clock import Clock, SystemClock
from bulkmail.fate import Counts, Delivery, State
from bulkmail.ledger import (
    campaigns,
    causes,
    checked,
    enrolment,
    reading,
    recovery,
    slowdown,
    warm_up,
)
from bulkmail.ledger.campaigns import CampaignRecord
from bulkmail.ledger.causes import Listed
from bulkmail.ledger.checked import Checks
from bulkmail.ledger.connection import Durability
from bulkmail.ledger.driver import Driver, InlineDriver, ScratchDriver, ThreadDriver
from bulkmail.ledger.enrolment import Enrolment
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.lock import CampaignLock
from bulkmail.ledger.newcomers import Series
from bulkmail.ledger.orders import CampaignOrders
from bulkmail.ledger.quota import BUCKETS
from bulkmail.ledger.reading import Duplicate, ReasonCount, ReportRow
from bulkmail.ledger.run import CampaignRun
from bulkmail.ledger.series import SeriesBook
from bulkmail.ledger.slowdown import Slowdown
from bulkmail.ledger.suppression import SuppressionList
from bulkmail.ledger.warm_up import Warming


class Ledger:
    """All campaigns of one ledger. Every method raises `LedgerError`."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        path: Path | None = None,
        *,
        keeps_fields: bool = False,
    ) -> None:
        self._keeps_fields = keeps_fields
        self._driver = driver
        self._clock = clock
        self._held: set[str] = set()
        #: The file; None in memory.
        self.path = path

    @classmethod
    async def open(
        cls,
        path: Path | None,
        *,
        clock: Clock,
        durability: Durability = "power",
        read_only: bool = False,
        keeps_fields: bool = False,
    ) -> Ledger:
        """The ledger at `path`, made or migrated where needed; None: a new one in memory.

        `read_only` makes and changes nothing; then the file has to be there. With `keeps_fields`
        row data stays when a row is sent or cancelled, else it is dropped then.
        """
        if path is None:
            return MemoryLedger(clock=clock, keeps_fields=keeps_fields)
        driver = ThreadDriver(path, durability, now=clock.time(), read_only=read_only)
        await driver.start()
        return cls(driver, clock, path, keeps_fields=keeps_fields)

    async def close(self) -> None:
        """Write what was asked for, and close the file."""
        await self._driver.close()

    def lock(self, name: str) -> CampaignLock:
        """The lock a run of that campaign holds; a context manager."""
        return CampaignLock(self.path, name, self._held)

    def series(self) -> SeriesBook:
        """What is known of schedules."""
        return SeriesBook(self._driver, self._clock)

    async def campaign(self, name: str) -> CampaignRecord | None:
        """The campaign of that name."""
        return await self._driver.submit(lambda db: campaigns.by_name(db, name), Kind.READ)

    async def campaigns(self) -> list[CampaignRecord]:
        """All campaigns, the oldest first."""
        return await self._driver.submit(campaigns.every, Kind.READ)

    async def campaign_at(self, path: str) -> CampaignRecord | None:
        """The campaign that was last enrolled, in whole, from that file."""
        return await self._driver.submit(lambda db: campaigns.by_path(db, path), Kind.READ)

    async def origin(self, name: str) -> str:
        """The name that Message-IDs of this campaign are made of, enrolled or not."""
        return await self._driver.submit(lambda db: campaigns.origin(db, name), Kind.READ)

    async def rename(self, old: str, new: str) -> None:
        """Give a campaign another name. Raises `ConfigurationError` when that cannot be.

        For who holds the locks of both names. What a pass under the new name left, if none was
        ever completed, is deleted.
        """
        taken = await self.campaign(new)
        if taken is not None and not taken.generation and old != new:
            await enrolment.remove_unfinished(self._driver, taken.id)

        def work(connection: sqlite3.Connection) -> None:
            campaigns.rename(connection, old, new)
            if old != new:
                checked.rename(connection, old, new)

        await self._driver.submit(work)

    def checks(self, name: str) -> Checks:
        """What was checked of the campaign of that name, enrolled or not."""
        return Checks(self._driver, self._clock, name)

    async def set_checked(self, campaign_id: int, fingerprint: str) -> None:
        """Remember what was checked, in the caller's own words."""
        await self._driver.submit(lambda db: campaigns.set_checked(db, campaign_id, fingerprint))

    async def begin(
        self,
        name: str,
        *,
        path: str,
        key_column: str,
        from_domain: str = "",
        origin: str | None = None,
        series: Series | None = None,
    ) -> Enrolment:
        """Begin a pass over the campaign's list. Nothing can be claimed until it is complete.

        `from_domain` and `origin` (by itself: `Ledger.origin`) are kept from the first time: see
        `Enrolment`. `series` is the one it belongs to, where it does: `newcomers` says what comes
        of it.
        """
        return await enrolment.begin(
            self._driver,
            self._clock,
            name,
            path=path,
            key_column=key_column,
            from_domain=from_domain,
            origin=origin,
            keeps_fields=self._keeps_fields,
            series=series,
        )

    async def rejudge(
        self, campaign_id: int, *, listed: Iterable[Listed] = (), recheck: bool = False
    ) -> Counts:
        """Apply the suppression lists to a campaign whose list was not read again.

        Who was put back is due by it. `listed` as in `Enrolment.complete`. With `recheck`, rows
        that `fail_rows` failed are pending again: what was checked has changed, and they are to
        be checked anew.
        """
        now = self._clock.time()
        return await self._driver.submit(
            partial(
                causes.rejudge,
                campaign_id=campaign_id,
                listed=listed,
                now=now,
                recheck=recheck,
                keeps_fields=self._keeps_fields,
            ),
            Kind.ALONE,
        )

    async def fail_rows(self, campaign_id: int, failures: Sequence[tuple[int, str]]) -> None:
        """Fail deliveries by id, with a reason each: found unfit by the check, no server asked."""
        now = self._clock.time()
        await self._driver.submit(lambda db: causes.fail_rows(db, campaign_id, failures, now))

    async def skip_rows(self, campaign_id: int, skipped: Sequence[tuple[int, str]]) -> None:
        """Suppress deliveries by id, with a reason each, until the next pass or `rejudge`."""
        now = self._clock.time()
        await self._driver.submit(lambda db: causes.skip_rows(db, campaign_id, skipped, now))

    async def rows(
        self,
        campaign_id: int,
        *,
        after: int = 0,
        limit: int,
        states: Collection[State] | None = None,
    ) -> list[Delivery]:
        """Up to `limit` rows of the list, behind the one whose id is `after`; not claimed.

        In the order of their enrolment, which is the list's until the list is changed. Rows that
        are gone from the list are left out.
        """
        return await self._driver.submit(
            lambda db: reading.rows(db, campaign_id, after=after, limit=limit, states=states),
            Kind.READ,
        )

    async def delivery(
        self, campaign_id: int, *, row: int | None = None, email: str | None = None
    ) -> Delivery | None:
        """One row of the list, by its number or address; it is not claimed."""
        return await self._driver.submit(
            lambda db: reading.delivery(db, campaign_id, row=row, email=email), Kind.READ
        )

    def run(
        self,
        campaign_id: int,
        *,
        owner: str,
        lease: float = 60.0,
        listed: Collection[Listed] = (),
        has_siblings: bool = False,
    ) -> CampaignRun:
        """A run's hold on the campaign. `owner` is unlike any other's; `lease` in seconds.

        `listed`, as in `Enrolment.complete`, holds for those who are put back meanwhile. With
        siblings, all other owners are processes of the same run, under the same lock.
        """
        return CampaignRun(
            self._driver,
            self._clock,
            campaign_id,
            owner=owner,
            lease=lease,
            listed=listed,
            keeps_fields=self._keeps_fields,
            has_siblings=has_siblings,
        )

    def orders(self, campaign_id: int) -> CampaignOrders:
        """A person's hold on the campaign: pause, cancel, try again and the like."""
        return CampaignOrders(
            self._driver, self._clock, campaign_id, keeps_fields=self._keeps_fields
        )

    async def recover(
        self,
        campaign_id: int,
        *,
        resend: bool,
        due_at: float,
        give_up_after: float = math.inf,
        owner: str | None = None,
    ) -> int:
        """Take over what a dead run left; how many deliveries came in doubt by it.

        For who holds the campaign's lock, before anything is claimed: rows in `sending` become
        `in_doubt`, claims are free. Then all doubts follow `on_doubt`: with `resend` first ones
        are due at `due_at`, without it none is. Who waits, and was tried first more than
        `give_up_after` seconds ago, is due. With `owner`, only that owner is taken for dead.
        """
        now = self._clock.time()
        return await self._driver.submit(
            partial(
                recovery.recover,
                campaign_id=campaign_id,
                resend=resend,
                due_at=due_at,
                give_up_after=give_up_after,
                owner=owner,
                now=now,
                keeps_fields=self._keeps_fields,
            )
        )

    async def cut_off(self, campaign_id: int) -> int:
        """End what a dead run left, as `recover` does; doubts are held. How many came in doubt.

        For who holds the campaign's lock.
        """
        now = self._clock.time()
        return await self._driver.submit(lambda db: recovery.cut_off(db, campaign_id, None, now))

    def suppression(self) -> SuppressionList:
        """Who gets nothing, from any campaign."""
        return SuppressionList(self._driver, self._clock)

    async def counts(self, campaign_id: int) -> Counts:
        """Deliveries by state, and duplicates."""
        return await self._driver.submit(lambda db: reading.counts(db, campaign_id), Kind.READ)

    async def held(self, campaign_id: int) -> int:
        """How many in doubt are not sent to again: they are a person's to decide."""
        return await self._driver.submit(lambda db: reading.held(db, campaign_id), Kind.READ)

    async def tried_since(self, campaign_id: int, since: float) -> int:
        """How many deliveries were tried since then (epoch seconds); a few more at the most."""
        return await self._driver.submit(
            lambda db: reading.tried_since(db, campaign_id, since), Kind.READ
        )

    async def updated_at(self, campaign_id: int) -> float | None:
        """Epoch seconds at which a delivery of the campaign changed last; None without any."""
        return await self._driver.submit(lambda db: reading.updated_at(db, campaign_id), Kind.READ)

    async def duplicates(self, campaign_id: int) -> list[Duplicate]:
        """Rows of the list that repeat a key."""
        return await self._driver.submit(lambda db: reading.duplicates(db, campaign_id), Kind.READ)

    async def report(
        self, campaign_id: int, state: State | None = None
    ) -> AsyncIterator[ReportRow]:
        """Every delivery, in the list's order, read page by page: no more are held in memory."""
        after = (0, 0)
        while True:
            page, after = await self._driver.submit(
                partial(reading.report_page, campaign_id=campaign_id, state=state, after=after),
                Kind.READ,
            )
            if not page:
                return
            for row in page:
                yield row

    async def reasons(self, campaign_id: int) -> list[ReasonCount]:
        """Why deliveries ended or are held, the most frequent first."""
        return await self._driver.submit(lambda db: reading.reasons(db, campaign_id), Kind.READ)

    async def slowdowns(self) -> list[Slowdown]:
        """Servers and groups of domains that get less for now, because they asked for it."""
        now = self._clock.time()
        return await self._driver.submit(lambda db: slowdown.every(db, now), Kind.READ)

    async def notified(self, campaign_id: int) -> str | None:
        """How the campaign stood when somebody was last told; None: nobody was."""
        return await self._driver.submit(lambda db: campaigns.notified(db, campaign_id), Kind.READ)

    async def set_notified(self, campaign_id: int, facts: str) -> None:
        """Remember what was told."""
        await self._driver.submit(lambda db: campaigns.set_notified(db, campaign_id, facts))

    async def warm_ups(self) -> list[Warming]:
        """Servers whose quota grows from day to day, or has grown."""
        return await self._driver.submit(warm_up.every, Kind.READ)

    async def waiting_by_domain(self, campaign_id: int) -> dict[str, int]:
        """Who is still to be sent to, by recipient domain."""
        return await self._driver.submit(
            lambda db: reading.waiting_by_domain(db, campaign_id), Kind.READ
        )

    async def quotas(self) -> dict[tuple[str, float], list[tuple[float, int]]]:
        """What was used of quotas, by server and length of the window: instants and how many."""
        used = await self._driver.submit(reading.quotas, Kind.READ)
        return {
            (server, seconds): [(bucket * seconds / BUCKETS, count) for bucket, count in found]
            for (server, seconds), found in used.items()
        }

    async def by_server(self, campaign_id: int) -> dict[str, Counts]:
        """Deliveries by the server of their last attempt."""
        return await self._driver.submit(lambda db: reading.by_server(db, campaign_id), Kind.READ)


class MemoryLedger(Ledger):
    """A ledger in memory: the same statements, run at once in the caller. It ends with `close`."""

    def __init__(self, *, clock: Clock | None = None, keeps_fields: bool = False) -> None:
        clock = clock or SystemClock()
        super().__init__(InlineDriver(now=clock.time()), clock, keeps_fields=keeps_fields)


class ScratchLedger(Ledger):
    """A ledger in memory that is written in groups, by the turns of one loop; for a look at a list.

    It ends with `close`.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(ScratchDriver(now=clock.time()), clock)
