"""What a run may send when: slots under the limits of servers and groups, and paces learned."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bulkmail.campaign.units import Demand, Rate
from bulkmail.clock import Clock
from bulkmail.ledger import limits, slowdown
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind
from bulkmail.ledger.limits import Permit
from bulkmail.ledger.slowdown import Slowdown

#: What is kept of the longest commit so far by each one that was shorter.
_LEAD_DECAY = 0.9


class RunLimits:
    """The limits' half of a `CampaignRun`; they are shared with all runs of the ledger."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        #: Seconds that a commit took, as of late.
        self._lead = 0.0

    async def take(self, server: str, rates: Sequence[Rate], want: int) -> Permit:
        """Reserve up to `want` slots for `server` under all of `rates`, and what was learned.

        Slots of a pace are put off by as long as the last commits took, so that a slow disk does
        not void them before they arrive.
        """
        return await self._timed(
            lambda connection, now: limits.take(
                connection, server, rates, want, now=now, lead=self._lead
            )
        )

    async def take_together(self, demands: Sequence[Demand]) -> Permit:
        """Reserve one instant for one message under all of `demands`; the first is the server's.

        Where another demand's turn is later than the server's nothing is reserved, so that a slow
        provider holds up nobody else.
        """
        return await self._timed(
            lambda connection, now: limits.take_together(
                connection, demands, now=now, lead=self._lead
            )
        )

    async def _timed(self, take: Callable[[sqlite3.Connection, float], Permit]) -> Permit:
        began = self._clock.monotonic()
        permit = await self._driver.submit(lambda connection: take(connection, self._clock.time()))
        took = self._clock.monotonic() - began
        self._lead = max(_LEAD_DECAY * self._lead, took)
        return permit

    async def slow_down(self, scope: str, full: float, reason: str) -> Slowdown:
        """Halve the pace of a server, or of a group of domains; `full` is what it was so far."""
        now = self._clock.time()
        return await self._driver.submit(
            lambda connection: slowdown.slow_down(connection, scope, full, reason, now)
        )

    async def slowdowns(self) -> list[Slowdown]:
        """What was learned and is not over, of all servers and groups."""
        now = self._clock.time()
        return await self._driver.submit(
            lambda connection: slowdown.every(connection, now), Kind.READ
        )

    async def give_back(self, server: str, rates: Sequence[Rate], slots: Sequence[float]) -> None:
        """Let slots that were not used, and never will be, not count against a quota."""
        await self._driver.submit(
            lambda connection: limits.give_back(connection, server, rates, slots)
        )
