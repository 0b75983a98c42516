"""A worker's turn on a server under limits: what its slot is worth by the time it is used."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.engine import FakeTransport, compose
from support.ledger_book import StoppedClock
from support.watching import delivery

from bulkmail.campaign.units import Rate
from bulkmail.delivery.control import Control
from bulkmail.delivery.limiter import Limiter
from bulkmail.delivery.turns import SlotMissed, Turns
from bulkmail.ledger.limits import Permit

NOW = 1_800_000_000.0
INSTANT = datetime.fromtimestamp(NOW, UTC)


class Permits:
    """A ledger whose slots open at the moment they are asked for."""

    def __init__(self, clock: StoppedClock) -> None:
        self._clock = clock
        self.returned: list[float] = []

    async def take(self, server: str, rates: object, want: int) -> Permit:
        del server, rates, want
        return Permit(slots=(self._clock.now,), valid_for=15.0)

    async def give_back(self, server: str, rates: object, slots: list[float]) -> None:
        del server, rates
        self.returned += slots


class SetBack(Control):
    """While the first slot is waited for, somebody sets the clock back by an hour."""

    def __init__(self, clock: StoppedClock) -> None:
        super().__init__(clock)
        self._stopped_clock = clock
        self._is_done = False

    async def pause(self, until: float, *, furthest: float = math.inf) -> bool:
        if not self._is_done:
            self._is_done = True
            self._stopped_clock.now -= 3600
        return await super().pause(until, furthest=furthest)


def turns_of(ledger: Permits, clock: StoppedClock, control: Control) -> Turns:
    lane = SimpleNamespace(
        limiter=Limiter(cast("Any", ledger), "primary", [Rate(100, 3600.0)], clock),
        transport=FakeTransport("primary"),
        health=SimpleNamespace(is_well=True),
        opening_seconds=0.0,
    )
    shared = SimpleNamespace(
        clock=clock,
        control=control,
        gates=SimpleNamespace(of=lambda _: {}),
        shut_until=None,
        shut_at=lambda _: None,
        opens_for=lambda _: None,
    )
    return Turns(cast("Any", lane), cast("Any", shared), cast("Any", None))


async def test_a_slot_is_good_until_it_is_void() -> None:
    clock = StoppedClock(NOW)
    turns, row = turns_of(Permits(clock), clock, Control(clock)), delivery()
    assert await turns.next(row, await compose(row, INSTANT)) is not None

    clock.now += 15.0
    turns.check()
    clock.now += 0.001
    with pytest.raises(SlotMissed):
        turns.check()


async def test_a_slot_of_a_time_that_the_clock_left_is_not_used() -> None:
    """The ledger counts that time anew: the slot would be one more in its window."""
    clock = StoppedClock(NOW)
    ledger = Permits(clock)
    turns, row = turns_of(ledger, clock, SetBack(clock)), delivery()

    assert await turns.next(row, await compose(row, INSTANT)) is not None

    assert ledger.returned == [NOW]
    turns.check()
