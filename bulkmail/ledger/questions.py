"""What is asked of a ledger, and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from functools import partial

from bulkmail.clock import Clock
from bulkmail.fate import Counts, Delivery, State
from bulkmail.ledger import campaigns, reading, slowdown, warm_up
from bulkmail.ledger.campaigns import CampaignRecord
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.quota import BUCKETS
from bulkmail.ledger.reading import Duplicate, ReasonCount, ReportRow
from bulkmail.ledger.slowdown import Slowdown
from bulkmail.ledger.warm_up import Warming


class Questions:
    """The half of a `Ledger` that reads. Every method raises `LedgerError`."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock

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
