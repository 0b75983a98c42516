"""What a server said of our pace: half as much, and back to the former in ten minutes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from bulkmail.campaign.units import Rate
from bulkmail.ledger import limits, slowdown
from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.slowdown import PATIENCE, RECOVERY, SLOWEST, slow_down

NOW = 1_800_000_000.0
SECOND, DAY = 1.0, 86400.0


@pytest.fixture
def book() -> Iterator[sqlite3.Connection]:
    connection = open_memory(NOW)
    yield connection
    connection.close()


def taken_in(book: sqlite3.Connection, start: float, seconds: float, *rates: Rate) -> int:
    now, count = start, 0
    while now < start + seconds:
        permit = limits.take(book, "primary", rates, 100, now=now, lead=0.0)
        count += len([slot for slot in permit.slots if slot < start + seconds])
        now = max(permit.slots, default=permit.again_at) + 1e-6
    return count


def test_the_pace_is_halved(book: sqlite3.Connection) -> None:
    assert slow_down(book, "primary", 20.0, "421 too fast", NOW).pace == 10

    assert taken_in(book, NOW, 5.0) == pytest.approx(50, abs=3)


def test_a_limit_that_is_lower_still_holds(book: sqlite3.Connection) -> None:
    slow_down(book, "primary", 20.0, "421", NOW)

    assert taken_in(book, NOW, 5.0, Rate(4, SECOND)) <= 20


def test_a_storm_is_heard_of_once(book: sqlite3.Connection) -> None:
    for n in range(8):
        slow_down(book, "primary", 20.0, "421", NOW + n / 10)

    assert slowdown.current(book, "primary", NOW) == 10


def test_the_next_storm_halves_again_down_to_one_a_minute(book: sqlite3.Connection) -> None:
    paces = [slow_down(book, "primary", 1.0, "421", NOW + n * 2 * PATIENCE).pace for n in range(20)]

    assert paces[0] == 0.5
    assert paces[1] == pytest.approx(0.25, rel=0.1)
    assert min(paces) >= SLOWEST
    assert paces == sorted(paces, reverse=True)


def test_it_recovers_by_the_same_amount_each_second_and_is_forgotten(
    book: sqlite3.Connection,
) -> None:
    slow = slow_down(book, "primary", 20.0, "421", NOW)

    assert slowdown.current(book, "primary", NOW + RECOVERY / 4) == pytest.approx(15)
    assert slow.until == NOW + RECOVERY / 2
    assert slowdown.current(book, "primary", slow.until + 1) is None
    assert slowdown.every(book, slow.until - 1) == [slow]
    assert slowdown.every(book, slow.until + 1) == []
    assert taken_in(book, slow.until + 1, 0.5) >= 100


def test_a_server_that_recovered_is_slowed_from_where_it_is(book: sqlite3.Connection) -> None:
    slow_down(book, "primary", 20.0, "421", NOW)

    again = slow_down(book, "primary", 3.0, "421", NOW + DAY)

    assert (again.full, again.pace) == (3.0, 1.5)


def test_others_are_not_slowed(book: sqlite3.Connection) -> None:
    slow_down(book, "primary", 20.0, "421", NOW)

    assert slowdown.current(book, "backup", NOW) is None


def test_a_clock_that_is_set_back_lets_the_next_storm_count(book: sqlite3.Connection) -> None:
    slow_down(book, "primary", 20.0, "421", NOW + DAY)

    assert slow_down(book, "primary", 20.0, "421", NOW).at == NOW
