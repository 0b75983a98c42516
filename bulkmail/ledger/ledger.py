"""The ledger: every recipient's fate, and the limits of servers, over all campaigns.

`Ledger.open` gives the one in a file; `MemoryLedger` is the same statements in memory, for users
of the library and for tests. One object serves one event loop.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from bulkmail.clock import Clock, SystemClock
from bulkmail.fate import Counts
from bulkmail.ledger import (
    campaigns,
    causes,
    checked,
    enrolment,
    recovery,
)
from bulkmail.ledger.causes import Listed
from bulkmail.ledger.checked import Checks
from bulkmail.ledger.connection import Durability
from bulkmail.ledger.driver import Driver, InlineDriver, ScratchDriver, ThreadDriver
from bulkmail.ledger.enrolment import Enrolment
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.lock import CampaignLock
from bulkmail.ledger.newcomers import Series
from bulkmail.ledger.orders import CampaignOrders
from bulkmail.ledger.questions import Questions
from bulkmail.ledger.run import CampaignRun
from bulkmail.ledger.series import SeriesBook
from bulkmail.ledger.suppression import SuppressionList


class Ledger(Questions):
    """All campaigns of one ledger. Every method raises `LedgerError`."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        path: Path | None = None,
        *,
        keeps_fields: bool = False,
    ) -> None:
        super().__init__(driver, clock)
        self._keeps_fields = keeps_fields
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

    async def set_notified(self, campaign_id: int, facts: str) -> None:
        """Remember what was told."""
        await self._driver.submit(lambda db: campaigns.set_notified(db, campaign_id, facts))


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
