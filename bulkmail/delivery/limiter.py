"""One server's limits, as this run holds them: slots taken from the ledger in small chunks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from bulkmail.campaign.units import Demand, Rate
from bulkmail.clock import Clock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ledger_port import Ledger, Permit
from bulkmail.delivery.meter import FEW, Meter
from bulkmail.value_class import value_class

#: Most slots asked for at once; the ledger gives at most 1 % of the smallest limit.
CHUNK = 50
#: Seconds ahead beyond which a time is not the ledger's word any more, but that of a clock which
#: was set back since: two of the widest spacing, one message a minute.
FURTHEST = 125.0
#: Seconds by which a slot may be further away than when it was asked for: no clock is exact.
SLACK = 1.0
#: A slot further away than this is waited for without holding a session: servers close idle ones.
LONG_WAIT = 2.0
#: Seconds that are waited for another limit's turn without leaving the place to somebody else.
MOMENT = 0.05


@value_class
class QuotaSpent:
    """No message may be handed over before `again_at` (epoch seconds)."""

    rate: Rate
    again_at: float


@value_class
class Slot:
    """One message may be handed over from `opens_at` to `void_at` (epoch seconds)."""

    opens_at: float
    void_at: float
    #: Seconds: further away than when it was taken it is of a clock that was set back since, and
    #: by now the ledger may have given its time to others.
    furthest: float
    #: What it was taken for, where that is more than the server: to be given back with it.
    demands: tuple[Demand, ...] = ()


@value_class
class Busy:
    """Somebody else waits for the next slot, which opens far away, at `until` (epoch seconds)."""

    until: float


@value_class
class Shut:
    """The server has time, but a group of recipient domains has not, before `again_at`."""

    scope: str
    again_at: float
    #: The quota that is used up, where one is why.
    spent: Rate | None


@value_class
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
        self._slowed_until = 0.0
        #: Of those that were taken and handed on, the one that opens last.
        self._last: Slot | None = None
        #: The next chunk, asked for while the last slot is waited for.
        self._asked: asyncio.Task[Permit] | None = None
        #: By the clock (epoch seconds) as it was then.
        self._asked_at = 0.0
        #: How many messages go to the server.
        self.meter = Meter()

    def slowed(self, until: float) -> None:
        """A pace was learned, which holds until then (epoch seconds)."""
        self._slowed_until = max(self._slowed_until, until)

    def full_pace(self, now: float) -> float:
        """Messages per second it goes at: as of late, and no more than is allowed."""
        allowed = [rate.count / rate.window for rate in self._rates if rate.is_pace]
        return min([self.meter.pace(now) or FEW, *allowed])

    async def next(self, control: Control) -> Slot | QuotaSpent | Busy | Stopped | None:
        """The next slot of the paces, for one message; None: there are no limits.

        The caller waits for the slot and does not use it past `void_at`. A spent quota is returned
        and not waited for. On cancellation a slot may be lost, never used twice.
        """
        if self.is_free:
            return None
        async with self._lock:
            while control.may_begin:
                if (slot := await self._left_over()) is not None:
                    self._ask_ahead(slot)
                    return self._handed(slot)
                if (busy := await self._wait_for_others(control, ())) is not None:
                    return busy
                permit = await self._permit()
                self._slots += _slots(permit, self._asked_at)
                if not self._slots and permit.spent is not None:
                    return QuotaSpent(permit.spent, permit.again_at)
                if not self._slots:
                    await control.pause(permit.again_at, furthest=FURTHEST)
        return Stopped()

    @property
    def is_free(self) -> bool:
        """Whether there are no limits, given or learned."""
        if self._rates:
            return False
        return not self._slowed_until or self._clock.time() >= self._slowed_until

    def take_now(self) -> bool:
        """Take a slot that is open at this moment, without waiting; whether there was one.

        Where there are no limits there always is. It is for a message that is handed over now.
        """
        if self.is_free:
            return True
        now = self._clock.time()
        # Who waits for a slot comes first.
        if self._lock.locked() or not self._slots:
            return False
        slot = self._slots[0]
        if not slot.opens_at <= now <= slot.void_at:
            return False
        self._handed(self._slots.popleft())
        return True

    async def together(
        self, control: Control, others: Sequence[Demand]
    ) -> Slot | QuotaSpent | Busy | Shut | Stopped:
        """One slot under this server's limits and `others`, as `next` gives it."""
        demands = (Demand(self._server, self._rates), *others)
        while control.may_begin:
            async with self._lock:
                if (busy := await self._wait_for_others(control, others)) is not None:
                    return busy
                asked_at = self._clock.time()
                permit = await self._ledger.take_together(demands)
                for slot in _slots(permit, asked_at, demands):
                    return self._handed(slot)
            is_ours = permit.scope == self._server
            if is_ours and permit.spent is not None:
                return QuotaSpent(permit.spent, permit.again_at)
            if not is_ours and permit.again_at - self._clock.time() > MOMENT:
                return Shut(permit.scope or "", permit.again_at, permit.spent)
            await control.pause(permit.again_at, furthest=FURTHEST)
        return Stopped()

    def _handed(self, slot: Slot) -> Slot:
        if self._last is None or slot.opens_at > self._last.opens_at:
            self._last = slot
        return slot

    async def _wait_for_others(self, control: Control, others: Sequence[Demand]) -> Busy | None:
        """Of a quota, take no more before the last that was taken is used: a kill would waste it.

        A pace wastes nothing, and is taken as far ahead as there are workers.
        """
        rates = [rate for rates in (self._rates, *(d.rates for d in others)) for rate in rates]
        if self._last is None or all(rate.is_pace for rate in rates):
            return None
        wait = self._last.opens_at - self._clock.time()
        if not 0 < wait <= self._last.furthest:
            self._last = None
            return None
        if wait > LONG_WAIT:
            return Busy(self._last.opens_at)
        await control.pause(self._last.opens_at, furthest=self._last.furthest)
        return None

    async def put_back(self, *slots: Slot) -> None:
        """Slots that were taken and not used, and never will be: no quota counts them."""
        for slot in slots:
            for demand in slot.demands or (Demand(self._server, self._rates),):
                if not all(rate.is_pace for rate in demand.rates):
                    instants = [slot.opens_at] * demand.weight
                    await self._ledger.give_back(demand.scope, demand.rates, instants)

    async def close(self) -> None:
        """Give back what was not used."""
        left = [*self._slots]
        self._slots.clear()
        await self.put_back(*left)

    def abandon(self) -> None:
        """Ask for nothing more: the run is over."""
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None

    async def _permit(self) -> Permit:
        """A chunk of slots, or when to ask again. Cancelled, it keeps what was asked for."""
        asked = self._asked or self._ask()
        self._asked = asked
        await asyncio.wait([asked])
        self._asked = None
        return asked.result()

    def _ask(self) -> asyncio.Task[Permit]:
        self._asked_at = self._clock.time()
        asked = asyncio.create_task(self._ledger.take(self._server, self._rates, CHUNK))
        asked.add_done_callback(_hear)
        return asked

    def _ask_ahead(self, slot: Slot) -> None:
        """Have the next chunk at hand, where the pace is what holds us up, and it wastes nothing.

        Else the ledger's commit would come on top of each message's time on the wire.
        """
        is_waited_for = slot.opens_at > self._clock.time()
        if is_waited_for and not self._slots and all(rate.is_pace for rate in self._rates):
            self._asked = self._asked or self._ask()

    async def _left_over(self) -> Slot | None:
        """A slot in hand that may still be used; those that are void are given back."""
        now = self._clock.time()
        while self._slots:
            slot = self._slots.popleft()
            if now <= slot.void_at and slot.opens_at <= now + slot.furthest:
                return slot
            await self.put_back(slot)
        return None


def _slots(permit: Permit, asked_at: float, demands: tuple[Demand, ...] = ()) -> list[Slot]:
    return [
        Slot(opens_at, opens_at + permit.valid_for, opens_at - asked_at + SLACK, demands)
        for opens_at in permit.slots
    ]


def _hear(asked: asyncio.Task[Permit]) -> None:
    """Take note of an error that nobody waits for where the run ends by another one."""
    if not asked.cancelled():
        asked.exception()
