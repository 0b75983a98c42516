"""One server's limits, as this run holds them: slots taken from the ledger in small chunks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bulkmail.campaign.units import Rate
from bulkmail.clock import Clock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ports import Ledger

#: Most slots asked for at once; the ledger gives at most 1 % of the smallest limit.
CHUNK = 50
#: Seconds ahead beyond which a slot is not the ledger's word any more, but that of a clock which
#: was set back since: two of the widest spacing, one message a minute.
FURTHEST = 125.0


@dataclass(frozen=True, slots=True)
class QuotaSpent:
    """No message may be handed over before `again_at` (epoch seconds)."""

    rate: Rate
    again_at: float


@dataclass(frozen=True, slots=True)
class Slot:
    """One message may be handed over from `opens_at` to `void_at` (epoch seconds)."""

    opens_at: float
    void_at: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing more may begin: there is no slot to wait for."""


class Limiter:
    """Shared by all workers of one server."""

    def __init__(self, ledger: Ledger, server: str, rates: Sequence[Rate], clock: Clock) -> None:
        self._ledger = ledger
        self._server = server
        self._rates = tuple(rates)
        self._clock = clock
        self._slots: deque[Slot] = deque()
        self._lock = asyncio.Lock()

    async def next(self, control: Control) -> Slot | QuotaSpent | Stopped | None:
        """The next slot of the paces, for one message; None: there are no limits.

        The caller waits for the slot and does not use it past `void_at`. A spent quota is returned
        and not waited for. On cancellation a slot may be lost, never used twice.
        """
        if not self._rates:
            return None
        async with self._lock:
            while control.may_begin:
                now = self._clock.time()
                while self._slots:
                    slot = self._slots.popleft()
                    if now <= slot.void_at and slot.opens_at <= now + FURTHEST:
                        return slot
                permit = await self._ledger.take(self._server, self._rates, CHUNK)
                self._slots.extend(
                    Slot(opens_at, opens_at + permit.valid_for) for opens_at in permit.slots
                )
                if not self._slots and permit.spent is not None:
                    return QuotaSpent(permit.spent, permit.again_at)
                if not self._slots:
                    await control.pause(permit.again_at)
        return Stopped()
