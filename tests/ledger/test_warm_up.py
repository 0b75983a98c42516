"""A quota that grows from day to day, from the first message on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign.units import Demand, Rate, WarmUp
from bulkmail.ledger import Permit, limits, warm_up
from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.quota import BUCKETS

NOW = 1_800_000_000.0
DAY = 86400.0
#: A slot may be used so long after its instant.
BUCKET = DAY / BUCKETS
GROWING = WarmUp(20, DAY, start=4, factor=1.5)


@pytest.fixture
def book() -> Iterator[sqlite3.Connection]:
    connection = open_memory(NOW)
    yield connection
    connection.close()


def take(book: sqlite3.Connection, now: float, *rates: Rate, want: int = 1000) -> Permit:
    return limits.take(book, "primary", rates, want, now=now, lead=0.0)


def take_all(book: sqlite3.Connection, now: float, *rates: Rate) -> tuple[int, float]:
    """How many there are at `now`, and when to ask again."""
    count = 0
    while (permit := take(book, now, *rates)).slots:
        count += len(permit.slots)
    return count, permit.again_at


def test_each_day_has_its_quota() -> None:
    assert [GROWING.on_day(day) for day in range(6)] == [4, 6, 9, 13, 20, 20]
    assert WarmUp(5000, DAY, start=50, factor=1.5).on_day(10**9) == 5000
    assert WarmUp(9, DAY, start=7, factor=1.0).on_day(400) == 7


def test_a_day_is_counted_from_the_first_message_and_the_ledger_keeps_it(
    book: sqlite3.Connection,
) -> None:
    first, again_at = take_all(book, NOW + 5, GROWING)
    early, _ = take_all(book, NOW + 5 + DAY - 1, GROWING)
    second, _ = take_all(book, NOW + 5 + DAY + 3 * BUCKET, GROWING)

    assert (first, again_at, early, second) == (4, NOW + 5 + DAY, 0, 6)
    assert [(w.server, w.began_at) for w in warm_up.every(book)] == [("primary", NOW + 5)]


def test_what_the_day_before_left_over_is_not_added(book: sqlite3.Connection) -> None:
    take(book, NOW, GROWING, want=1)

    counts = [take_all(book, NOW + days * DAY + 3 * BUCKET, GROWING)[0] for days in (1, 3, 9)]

    assert counts == [6, 13, 20]


def test_who_sent_late_on_a_day_gets_the_difference_when_it_grows(
    book: sqlite3.Connection,
) -> None:
    take(book, NOW, GROWING, want=1)
    late = NOW + 20 * 3600
    took, again_at = take_all(book, late, GROWING)
    more, _ = take_all(book, again_at + 3 * BUCKET, GROWING)

    assert (took, again_at, more) == (3, NOW + DAY, 3)


def test_a_permit_that_is_given_back_begins_no_day(book: sqlite3.Connection) -> None:
    permit = take(book, NOW, GROWING, want=1)
    limits.give_back(book, "primary", [GROWING], permit.slots)
    assert warm_up.every(book) == []

    take(book, NOW + 9 * DAY, GROWING, want=1)
    permit = take(book, NOW + 9 * DAY, GROWING, want=1)
    limits.give_back(book, "primary", [GROWING], permit.slots)
    assert [w.began_at for w in warm_up.every(book)] == [NOW + 9 * DAY]

    # Long after, with nothing in the window: the days go on all the same.
    permit = take(book, NOW + 30 * DAY, GROWING, want=1)
    limits.give_back(book, "primary", [GROWING], permit.slots)
    assert [w.began_at for w in warm_up.every(book)] == [NOW + 9 * DAY]


def test_the_lower_of_two_quotas_holds_and_each_message_counts_once(
    book: sqlite3.Connection,
) -> None:
    days = [
        take_all(book, NOW + day * (DAY + 3 * BUCKET), Rate(10, DAY), GROWING)[0]
        for day in range(5)
    ]
    permit = take(book, NOW + 9 * DAY, Rate(10, DAY), GROWING, want=1)
    limits.give_back(book, "primary", [Rate(10, DAY), GROWING], permit.slots)
    left = take_all(book, NOW + 9 * DAY, Rate(10, DAY), GROWING)[0]

    assert (days, left) == ([4, 6, 9, 10, 10], 10)


def test_it_holds_for_a_message_that_another_limit_is_asked_for_too(
    book: sqlite3.Connection,
) -> None:
    demands = [Demand("primary", (GROWING,)), Demand("domain:gmail", (Rate(100, DAY),))]

    permits = [limits.take_together(book, demands, now=NOW, lead=0.0) for _ in range(5)]

    assert [len(permit.slots) for permit in permits] == [1, 1, 1, 1, 0]
    assert permits[-1].scope == "primary"


def test_a_ramp_that_is_written_anew_goes_on_with_its_days(book: sqlite3.Connection) -> None:
    take(book, NOW, GROWING, want=1)
    other = WarmUp(1000, DAY, start=100, factor=2.0)

    count, _ = take_all(book, NOW + 2 * DAY + 3 * BUCKET, other)

    assert count == 400
    assert [w.rate for w in warm_up.every(book)] == [other]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 1.5), st.integers(1, 30), st.booleans()), min_size=1, max_size=60
    ),
    ramp=st.builds(
        WarmUp,
        st.integers(10, 60),
        st.just(DAY),
        st.integers(1, 10),
        st.sampled_from([1.0, 1.2, 1.5, 3.0]),
    ),
)
def test_no_window_of_a_day_holds_more_than_the_quota_of_the_day_it_ends_on(
    steps: list[tuple[float, int, bool]], ramp: WarmUp
) -> None:
    book = open_memory(NOW)
    used: list[float] = []
    now = NOW
    for days, want, gives_back in steps:
        now += days * DAY
        slots = take(book, now, ramp, want=want).slots
        if gives_back:
            limits.give_back(book, "primary", [ramp], slots)
        else:
            used += slots
    book.close()
    for end in used:
        day = int((end - used[0]) // DAY)
        assert sum(end - DAY <= at <= end for at in used) <= ramp.on_day(day)
