"""One message under the limits of its server and of its recipients' domains at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign.units import Demand, Rate
from bulkmail.ledger import limits
from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.limits import Permit

NOW = 1_800_000_000.0
SECOND, MINUTE, HOUR = 1.0, 60.0, 3600.0


@pytest.fixture
def book() -> Iterator[sqlite3.Connection]:
    connection = open_memory(NOW)
    yield connection
    connection.close()


def ask(book: sqlite3.Connection, now: float, *demands: Demand) -> Permit:
    return limits.take_together(book, demands, now=now, lead=0.0)


def server(*rates: Rate) -> Demand:
    return Demand("primary", rates)


def gmail(*rates: Rate, weight: int = 1) -> Demand:
    return Demand("domain:gmail", rates, weight)


def test_both_limits_give_one_instant(book: sqlite3.Connection) -> None:
    permit = ask(book, NOW, server(Rate(10, SECOND)), gmail(Rate(5, SECOND)))

    assert permit.slots == (NOW,)
    assert permit.valid_for == pytest.approx(0.018)


def test_a_slow_domain_costs_the_server_nothing(book: sqlite3.Connection) -> None:
    ours, theirs = server(Rate(10, SECOND)), gmail(Rate(1, MINUTE))
    assert ask(book, NOW, ours, theirs).slots

    refused = ask(book, NOW, ours, theirs)
    other = limits.take(book, "primary", [Rate(10, SECOND)], 1, now=NOW, lead=0.0)

    assert (len(refused.slots), refused.scope) == (0, "domain:gmail")
    assert refused.again_at == pytest.approx(NOW + 61.2)
    assert list(other.slots) == pytest.approx([NOW + 0.102])


def test_a_clock_set_back_holds_a_domain_up_for_one_spacing(book: sqlite3.Connection) -> None:
    ours, theirs = server(Rate(300, MINUTE)), gmail(Rate(4, SECOND))
    assert ask(book, NOW, ours, theirs).slots

    refused = ask(book, NOW - HOUR, ours, theirs)

    assert refused.scope == "domain:gmail"
    assert refused.again_at == pytest.approx(NOW - HOUR + 0.255)
    assert ask(book, refused.again_at, ours, theirs).slots


def test_a_slow_server_costs_the_domain_nothing(book: sqlite3.Connection) -> None:
    ours, theirs = server(Rate(1, HOUR)), gmail(Rate(1, MINUTE))
    assert ask(book, NOW, ours).slots

    refused = ask(book, NOW, ours, theirs)

    assert (len(refused.slots), refused.scope) == (0, "primary")
    assert refused.spent == Rate(1, HOUR)
    assert ask(book, NOW, Demand("backup", ()), theirs).slots


def test_a_spent_quota_of_a_domain_says_until_when(book: sqlite3.Connection) -> None:
    theirs = gmail(Rate(2, HOUR))
    assert ask(book, NOW, server(), theirs).slots
    assert ask(book, NOW, server(), theirs).slots

    refused = ask(book, NOW, server(), theirs)

    assert (refused.scope, refused.spent) == ("domain:gmail", Rate(2, HOUR))
    assert HOUR < refused.again_at - NOW < HOUR + 60


def test_recipients_count_and_not_messages(book: sqlite3.Connection) -> None:
    hourly = Rate(5, HOUR)
    assert ask(book, NOW, server(), gmail(hourly, weight=3)).slots

    assert not ask(book, NOW, server(), gmail(hourly, weight=3)).slots
    assert ask(book, NOW, server(), gmail(hourly, weight=2)).slots


def test_more_recipients_than_the_rate_go_when_nothing_else_did(book: sqlite3.Connection) -> None:
    many = gmail(Rate(3, HOUR), Rate(2, SECOND), weight=10)

    assert ask(book, NOW, server(), many).slots
    assert not ask(book, NOW, server(), many).slots


@settings(max_examples=200, deadline=None)
@given(
    rate=st.builds(Rate, st.integers(1, 60), st.sampled_from([SECOND, MINUTE, HOUR])),
    steps=st.lists(
        st.tuples(st.one_of(st.just(0.0), st.floats(0, 0.3)), st.integers(1, 8)),
        min_size=1,
        max_size=80,
    ),
)
def test_no_window_ever_holds_more_recipients_than_the_rate(
    rate: Rate, steps: list[tuple[float, int]]
) -> None:
    book = open_memory(NOW)
    used: list[tuple[float, float]] = []
    now = NOW
    for share, weight in steps:
        count = min(weight, rate.count)
        now += share * rate.window
        permit = ask(book, now, server(), gmail(rate, weight=count))
        used += [(slot, permit.valid_for) for slot in permit.slots for _ in range(count)]
        assert permit.slots or permit.again_at > now
    book.close()
    ordered = sorted(used)
    for (first, valid_for), (last, _) in zip(ordered, ordered[rate.count :], strict=False):
        assert last - (first + valid_for) > rate.window


@settings(max_examples=150, deadline=None)
@given(
    rate=st.builds(Rate, st.integers(1, 60), st.sampled_from([SECOND, MINUTE])),
    weights=st.lists(st.integers(1, 8), min_size=2, max_size=150),
)
def test_however_messages_are_mixed_the_pace_is_kept(rate: Rate, weights: list[int]) -> None:
    book = open_memory(NOW)
    used: list[tuple[float, float]] = []
    now = NOW
    for weight in weights:
        count = min(weight, rate.count)
        permit = ask(book, now, server(), gmail(rate, weight=count))
        if not permit.slots:
            now = permit.again_at + 1e-6
            permit = ask(book, now, server(), gmail(rate, weight=count))
        used += [(slot, permit.valid_for) for slot in permit.slots for _ in range(count)]
    book.close()
    assert len(used) == sum(min(weight, rate.count) for weight in weights)
    ordered = sorted(used)
    for (first, valid_for), (last, _) in zip(ordered, ordered[rate.count :], strict=False):
        assert last - (first + valid_for) > rate.window
