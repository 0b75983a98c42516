"""One server's limits, as this run holds them: slots taken from the ledger in small chunks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bulkmail.campaign.units import Rate
from bulkmail.clock import Clock
from bulkmail.delivery.ports import Ledger

#: Most slots asked for at once; the ledger gives at most 1 % of the smallest limit.
CHUNK = 50


@dataclass(frozen=True, slots=True)
class QuotaSpent:
    """No message may be handed over before `again_at` (epoch seconds)."""

    rate: Rate
    again_at: float


@dataclass(frozen=True, slots=True)
class _Slot:
    opens_at: float
    void_at: float


class Limiter:
    """Shared by all workers of one server."""

    def __init__(self, ledger: Ledger, server: str, rates: Sequence[Rate], clock: Clock) -> None:
        self._ledger = ledger
        self._server = server
        self._rates = tuple(rates)
        self._clock = clock
        self._slots: deque[_Slot] = deque()
        self._lock = asyncio.Lock()

    async def acquire(self) -> QuotaSpent | None:
        """Wait for the next slot of the paces; None: hand the message over now.

        A spent quota is not waited for: it is returned. A slot that could not be used in time is
        void, and another one is taken. On cancellation a slot may be lost, never used twice.
        """
        while self._rates:
            slot = await self._next()
            if isinstance(slot, QuotaSpent):
                return slot
            await self._clock.sleep(slot.opens_at - self._clock.time())
            if self._clock.time() <= slot.void_at:
                return None
        return None

    async def _next(self) -> _Slot | QuotaSpent:
        async with self._lock:
            while True:
                while self._slots:
                    slot = self._slots.popleft()
                    if self._clock.time() <= slot.void_at:
                        return slot
                permit = await self._ledger.take(self._server, self._rates, CHUNK)
                self._slots.extend(
                    _Slot(opens_at, opens_at + permit.valid_for) for opens_at in permit.slots
                )
                if self._slots:
                    continue
                if permit.spent is not None:
                    return QuotaSpent(permit.spent, permit.again_at)
                await self._clock.sleep(permit.again_at - self._clock.time())
