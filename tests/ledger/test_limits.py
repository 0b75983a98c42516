from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign.units import Rate
from bulkmail.ledger import Permit, limits
from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.quota import BUCKETS

NOW = 1_800_000_000.0
SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


@pytest.fixture
def book() -> Iterator[sqlite3.Connection]:
    connection = open_memory(NOW)
    yield connection
    connection.close()


def take(
    book: sqlite3.Connection, now: float, *rates: Rate, want: int = 1000, lead: float = 0.0
) -> Permit:
    return limits.take(book, "primary", rates, want, now=now, lead=lead)


def assert_kept(used: Sequence[tuple[float, float]], rate: Rate) -> None:
    """However late each slot is used, no closed window holds more than the rate's count.

    Sorted by instant, the slots i to i + N fit into one window if the first is used at its latest
    and the last at its earliest; the worst choice of an adversary is made here.
    """
    ordered = sorted(used)
    for (first, valid_for), (last, _) in zip(ordered, ordered[rate.count :], strict=False):
        assert last - (first + valid_for) > rate.window, f"{rate}: {first} and {last}"


paces = st.builds(Rate, st.integers(1, 300), st.sampled_from([SECOND, MINUTE]))
quotas = st.builds(Rate, st.integers(1, 900), st.sampled_from([HOUR, DAY]))
#: Steps of time as shares of the longest window: rushes, and pauses of any length.
steps = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 0.02), st.floats(0, 1.2)),
        st.integers(1, 500),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(rates=st.lists(st.one_of(paces, quotas), min_size=1, max_size=3), steps=steps)
def test_no_window_ever_holds_more_than_the_rate(
    rates: list[Rate], steps: list[tuple[float, int, float]]
) -> None:
    book = open_memory(NOW)
    longest = max(rate.window for rate in rates)
    used: list[tuple[float, float]] = []
    now = NOW
    for share, want, lead in steps:
        now += share * longest
        for _ in range(5):
            permit = limits.take(book, "primary", rates, want, now=now, lead=lead)
            used += [(slot, permit.valid_for) for slot in permit.slots]
            if permit.slots:
                assert min(permit.slots) >= now
            else:
                assert permit.again_at > now
    book.close()
    for rate in rates:
        assert_kept(used, rate)


@settings(max_examples=60, deadline=None)
@given(rate=st.one_of(paces, quotas), want=st.integers(1, 50))
def test_who_asks_when_told_to_gets_a_slot(rate: Rate, want: int) -> None:
    book = open_memory(NOW)
    while (permit := take(book, NOW, rate, want=want)).slots:
        pass

    # A hair later: the instant is computed in floats.
    assert take(book, permit.again_at + 1e-6, rate, want=want).slots
    book.close()


@pytest.mark.parametrize("rate", [Rate(50, SECOND), Rate(300, MINUTE)], ids=str)
def test_pace_is_used_to_97_percent_at_least(book: sqlite3.Connection, rate: Rate) -> None:
    now, count = NOW, 0
    while now < NOW + 20 * rate.window:
        permit = take(book, now, rate)
        count += len(permit.slots)
        now = max(permit.slots, default=permit.again_at)

    assert count >= 0.97 * 20 * rate.count


def test_quota_is_used_up_at_once_and_free_again_soon_after_its_window(
    book: sqlite3.Connection,
) -> None:
    rate = Rate(2000, DAY)
    count = 0
    while (permit := take(book, NOW, rate)).slots:
        count += len(permit.slots)

    assert count == 2000
    assert permit.spent == rate
    assert DAY < permit.again_at - NOW <= DAY + 2 * DAY / BUCKETS


def test_quota_counts_the_window_and_one_bucket_more(book: sqlite3.Connection) -> None:
    """A slot at a bucket's end may be used a bucket later: the window that begins there counts."""
    rate = Rate(1, HOUR)
    bucket = HOUR / BUCKETS
    late = NOW + 0.999 * bucket
    permit = take(book, late, rate)
    used_at = late + permit.valid_for

    assert not take(book, NOW + HOUR + bucket, rate).slots
    assert not take(book, used_at + HOUR, rate).slots
    assert take(book, NOW + HOUR + 2 * bucket, rate).slots


def test_chunk_is_a_hundredth_at_most(book: sqlite3.Connection) -> None:
    assert len(take(book, NOW, Rate(6000, MINUTE)).slots) == 60
    assert len(take(book, NOW, Rate(50, SECOND)).slots) == 1
    assert len(take(book, NOW, Rate(100_000, DAY)).slots) == 250
    assert len(take(book, NOW, Rate(100_000, DAY), want=7).slots) == 7


def test_the_strictest_of_several_rates_rules(book: sqlite3.Connection) -> None:
    rates = Rate(10, SECOND), Rate(60, MINUTE), Rate(2, HOUR)
    first = take(book, NOW, *rates)
    second = take(book, NOW + 10, *rates)
    third = take(book, NOW + 20, *rates)

    assert [len(first.slots), len(second.slots), len(third.slots)] == [1, 1, 0]
    assert first.valid_for == pytest.approx(0.018)
    assert third.spent == rates[2]


def test_pace_that_waits_names_no_quota(book: sqlite3.Connection) -> None:
    rate = Rate(1, MINUTE)
    while (permit := take(book, NOW, rate)).slots:
        pass

    assert permit.spent is None
    assert permit.again_at > NOW


def test_lead_puts_a_paces_slot_off_and_leaves_a_quotas(book: sqlite3.Connection) -> None:
    assert take(book, NOW, Rate(10, SECOND), lead=0.25).slots == (NOW + 0.25,)
    assert take(book, NOW, Rate(10, HOUR), lead=0.25).slots == (NOW,)


def test_servers_have_limits_of_their_own(book: sqlite3.Connection) -> None:
    rate = Rate(1, HOUR)
    assert take(book, NOW, rate).slots
    assert not take(book, NOW, rate).slots
    assert limits.take(book, "backup", [rate], 1, now=NOW, lead=0.0).slots


def test_changed_quota_counts_what_was_used_under_the_former(book: sqlite3.Connection) -> None:
    for _ in range(5):
        assert take(book, NOW, Rate(100, HOUR)).slots

    assert not take(book, NOW, Rate(5, HOUR)).slots
    assert take(book, NOW, Rate(6, HOUR)).slots


def test_changed_pace_starts_from_the_last_slot(book: sqlite3.Connection) -> None:
    assert take(book, NOW, Rate(100, MINUTE), want=1).slots == (NOW,)

    (slot,) = take(book, NOW, Rate(60, MINUTE)).slots
    assert slot == pytest.approx(NOW + 1.02)


def test_slots_given_back_do_not_count(book: sqlite3.Connection) -> None:
    rate = Rate(1, HOUR)
    permit = take(book, NOW, rate)
    limits.give_back(book, "primary", [rate, Rate(1, MINUTE)], permit.slots)

    assert take(book, NOW, rate).slots
    assert not take(book, NOW, rate).slots


def test_old_buckets_are_pruned(book: sqlite3.Connection) -> None:
    rate = Rate(1000, HOUR)
    for step in range(3 * BUCKETS):
        take(book, NOW + HOUR / BUCKETS * step, rate, want=1)

    (buckets,) = book.execute("SELECT count(*) FROM quota").fetchone()
    assert BUCKETS < buckets <= 2 * (BUCKETS + 3)


def test_clock_that_was_years_ahead_blocks_nobody(book: sqlite3.Connection) -> None:
    pace, quota = Rate(10, SECOND), Rate(10, HOUR)
    take(book, NOW + 1e8, pace, quota)

    permit = take(book, NOW, pace, quota)
    assert permit.slots or permit.again_at < NOW + 2


@pytest.mark.parametrize("ahead", [1.0, 25.0, 24.0 * 400])
@pytest.mark.parametrize("used_ahead", [1, 3, 5])
@pytest.mark.parametrize("back_to", [-30.0, -2.0, 0.0, 2.0, 23.0])
def test_a_clock_that_was_ahead_and_is_set_back_gives_nothing_twice(
    book: sqlite3.Connection, ahead: float, used_ahead: int, back_to: float
) -> None:
    """By that clock a day went by; by any other it was a moment, and the server's is another."""
    quota = Rate(5, DAY)
    for _ in range(5):
        take(book, NOW, quota)
    for _ in range(used_ahead):
        take(book, NOW + ahead * HOUR, quota)

    now = NOW + back_to * HOUR
    permit = take(book, now, quota)

    assert not permit.slots
    assert now < permit.again_at <= now + 2.05 * DAY
    while not permit.slots:
        now = permit.again_at + 1e-6
        permit = take(book, now, quota)


def test_a_clock_that_is_set_back_and_forward_again_finds_what_it_had_used(
    book: sqlite3.Connection,
) -> None:
    """It counted as used by the clock that was behind, and no more by the one it was used by."""
    quota = Rate(5, HOUR)
    for _ in range(5):
        take(book, NOW, quota)
    behind = take(book, NOW - 3 * HOUR, quota)

    again = take(book, NOW + 60, quota)
    later = take(book, NOW + 1.1 * HOUR, quota)

    assert not behind.slots
    assert not again.slots
    assert len(later.slots) == 1


def test_a_clock_set_back_behind_a_message_keeps_the_next_apart_from_it(
    book: sqlite3.Connection,
) -> None:
    pace = Rate(20, MINUTE)
    take(book, NOW, pace, want=1)

    (slot,) = take(book, NOW - 90, pace, want=1).slots

    assert slot >= NOW - 90 + MINUTE / 20


def test_no_rates_is_no_limit(book: sqlite3.Connection) -> None:
    permit = take(book, NOW, want=7)

    assert permit.slots == (NOW,) * 7
    assert permit.valid_for == float("inf")
