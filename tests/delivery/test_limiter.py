"""A server's slots as a run holds them: how far ahead they are taken, and what is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from support.engine import Bench, FakeTransport
from support.ledger_book import StoppedClock

from bulkmail.campaign.units import Demand, Rate
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.limiter import Busy, Limiter, QuotaSpent, Shut, Slot
from bulkmail.delivery.meter import FEW
from bulkmail.delivery.turns import SlotMissed, Turns
from bulkmail.ledger.limits import Permit

NOW = 1_800_000_000.0
HOURLY, PACE = Rate(100, 3600.0), Rate(10, 1.0)


@dataclass
class Permits:
    """A ledger that gives what it was told to, and remembers what came back."""

    clock: StoppedClock
    permits: list[Permit] = field(default_factory=list)
    taken: int = 0
    returned: list[tuple[str, list[float]]] = field(default_factory=list)

    async def take(self, server: str, rates: Sequence[Rate], want: int) -> Permit:
        del server, rates, want
        self.taken += 1
        return self.permits.pop(0)

    async def take_together(self, demands: Sequence[Demand]) -> Permit:
        del demands
        self.taken += 1
        return self.permits.pop(0)

    async def give_back(self, server: str, rates: Sequence[Rate], slots: Sequence[float]) -> None:
        del rates
        self.returned.append((server, list(slots)))


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(NOW)


@pytest.fixture
def ledger(clock: StoppedClock) -> Permits:
    return Permits(clock)


def limiter(ledger: Permits, *rates: Rate) -> Limiter:
    return Limiter(ledger, "primary", rates, ledger.clock)  # type: ignore[arg-type]  # what it needs


async def test_void_slots_go_back_and_what_is_left_at_the_end(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [
        Permit(slots=(NOW, NOW, NOW), valid_for=15.0),
        Permit(slots=(NOW + 60, NOW + 60), valid_for=15.0),
    ]
    ours, control = limiter(ledger, HOURLY), Control(clock)
    await ours.next(control)
    clock.now += 60

    slot = await ours.next(control)
    await ours.close()

    assert isinstance(slot, Slot)
    assert (slot.opens_at, slot.void_at) == (NOW + 60, NOW + 75)
    assert ledger.returned == [("primary", [NOW]), ("primary", [NOW]), ("primary", [NOW + 60])]


@pytest.mark.parametrize("seconds", [3600, 90])
async def test_a_slot_in_hand_goes_back_when_the_clock_is_set_back(
    ledger: Permits, clock: StoppedClock, seconds: int
) -> None:
    """The ledger counts by the new time, so the slot would be one more in its window."""
    ledger.permits = [
        Permit(slots=(NOW, NOW), valid_for=15.0),
        Permit(slots=(NOW - seconds,), valid_for=15.0),
    ]
    ours, control = limiter(ledger, HOURLY), Control(clock)
    await ours.next(control)
    clock.now -= seconds

    slot = await ours.next(control)

    assert isinstance(slot, Slot)
    assert slot.opens_at == NOW - seconds
    assert ledger.returned == [("primary", [NOW])]


async def test_a_pace_needs_nothing_back(ledger: Permits, clock: StoppedClock) -> None:
    ledger.permits = [Permit(slots=(NOW, NOW + 0.1), valid_for=0.018)]
    ours = limiter(ledger, PACE)
    await ours.next(Control(clock))
    await ours.close()

    assert ledger.returned == []


async def test_what_was_taken_together_goes_back_to_each(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [Permit(slots=(NOW,), valid_for=15.0)]
    ours = limiter(ledger, HOURLY)
    slot = await ours.together(Control(clock), [Demand("domain:gmail", (HOURLY,), 2)])
    assert isinstance(slot, Slot)

    await ours.put_back(slot)

    assert ledger.returned == [("primary", [NOW]), ("domain:gmail", [NOW, NOW])]


async def test_of_a_quota_no_more_is_taken_than_is_used(
    ledger: Permits, clock: StoppedClock
) -> None:
    """A kill wastes what was taken and not used: that is one chunk."""
    ledger.permits = [
        Permit(slots=(NOW + 30,), valid_for=1.0),
        Permit(slots=(NOW + 90,), valid_for=1.0),
    ]
    ours, control = limiter(ledger, Rate(2, 60.0), HOURLY), Control(clock)
    await ours.next(control)

    assert await ours.next(control) == Busy(NOW + 30)
    assert await ours.together(control, []) == Busy(NOW + 30)
    assert ledger.taken == 1

    clock.now += 30
    assert isinstance(await ours.next(control), Slot)


async def test_a_pace_is_taken_ahead(ledger: Permits, clock: StoppedClock) -> None:
    ledger.permits = [
        Permit(slots=(NOW + 30,), valid_for=1.0),
        Permit(slots=(NOW + 60,), valid_for=1.0),
    ]
    ours, control = limiter(ledger, Rate(2, 60.0)), Control(clock)

    slots = [await ours.next(control), await ours.next(control)]

    assert all(isinstance(slot, Slot) for slot in slots)


@pytest.mark.parametrize(("rates", "asked"), [((PACE,), 2), ((PACE, HOURLY), 1)])
async def test_the_next_slot_of_a_pace_is_asked_for_while_this_one_is_waited_for(
    ledger: Permits, clock: StoppedClock, rates: tuple[Rate, ...], asked: int
) -> None:
    """But not of a quota: a kill would waste it."""
    ledger.permits = [Permit(slots=(NOW + n / 10,), valid_for=0.018) for n in (1, 2)]
    ours = limiter(ledger, *rates)

    await ours.next(Control(clock))
    await asyncio.sleep(0)

    assert ledger.taken == asked
    ours.abandon()


async def test_who_is_in_the_way_is_named(ledger: Permits, clock: StoppedClock) -> None:
    ledger.permits = [
        Permit(again_at=NOW + 60, scope="domain:gmail"),
        Permit(again_at=NOW + 60, scope="primary", spent=HOURLY),
    ]
    ours, control = limiter(ledger, HOURLY), Control(clock)

    assert await ours.together(control, []) == Shut("domain:gmail", NOW + 60, None)
    assert await ours.together(control, []) == QuotaSpent(HOURLY, NOW + 60)


async def test_without_limits_the_ledger_is_asked_only_while_a_pace_was_learned(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [Permit(slots=(NOW,))]
    ours, control = limiter(ledger), Control(clock)
    assert await ours.next(control) is None

    ours.slowed(NOW + 10)
    assert isinstance(await ours.next(control), Slot)

    clock.now += 10
    assert await ours.next(control) is None
    assert ledger.taken == 1


def test_what_is_halved_is_what_was_seen_and_is_allowed(ledger: Permits) -> None:
    free, paced = limiter(ledger), limiter(ledger, PACE, HOURLY)

    assert (free.full_pace(NOW), paced.full_pace(NOW)) == (FEW, 10)

    for each in (free, paced):
        each.meter.tick(NOW, 400)

    assert (free.full_pace(NOW), paced.full_pace(NOW)) == (400, 10)


async def test_nobody_waits_when_nothing_may_begin(ledger: Permits, clock: StoppedClock) -> None:
    ledger.permits = [Permit(again_at=NOW + 60)] * 3
    ours, control = limiter(ledger, PACE), Control(clock)
    waiting = asyncio.create_task(ours.next(control))
    await asyncio.sleep(0)
    control.stop()

    assert not isinstance(await waiting, Slot)


async def test_a_slot_that_is_missed_at_the_last_moment_is_not_used(
    bench_of: Callable[[int], Awaitable[Bench]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was held up between the slot and MAIL: the row waits for another slot."""
    misses = 3

    def late(turns: Turns) -> None:
        nonlocal misses
        if misses:
            misses -= 1
            raise SlotMissed("late")

    monkeypatch.setattr(Turns, "check", late)
    bench, server = await bench_of(5), FakeTransport("primary")

    result = await bench.send(server, rates=(Rate(5, 3600.0),), is_waiting=False)

    assert result.ending is Ending.DONE
    assert len(server.received) == 5
    assert await bench.states() == {"sent": 5}


async def test_without_limits_there_is_always_a_slot_now(ledger: Permits) -> None:
    assert limiter(ledger).take_now()
    assert ledger.taken == 0


async def test_a_slot_in_hand_that_is_open_is_taken_now_and_once(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [Permit(slots=(NOW, NOW + 0.1, NOW + 0.2), valid_for=0.05)]
    ours = limiter(ledger, PACE)
    await ours.next(Control(clock))

    is_early = ours.take_now()
    clock.now = NOW + 0.1
    taken = [ours.take_now(), ours.take_now()]

    assert not is_early
    assert taken == [True, False]


async def test_a_slot_in_hand_that_is_void_is_not_taken_now(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [Permit(slots=(NOW, NOW), valid_for=0.05)]
    ours = limiter(ledger, PACE)
    await ours.next(Control(clock))
    clock.now += 0.06

    assert not ours.take_now()
    await ours.close()
    assert ledger.returned == []


async def test_who_waits_for_a_slot_comes_before_who_could_follow(
    ledger: Permits, clock: StoppedClock
) -> None:
    ledger.permits = [Permit(slots=(NOW, NOW), valid_for=15.0)]
    ours = limiter(ledger, HOURLY)
    await ours.next(Control(clock))

    async with ours._lock:
        assert not ours.take_now()
    assert ours.take_now()
