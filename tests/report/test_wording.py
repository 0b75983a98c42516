from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.wording import counted, local, local_time, number, rate, size, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.4, "0.4 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (162, "2 min 42 s"),
        (3600, "1 h"),
        (11_130, "3 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(2710.4, "2,710/s"), (4.94, "4.9/s"), (0.5, "30.0/min"), (0.01, "36.0/h")],
)
def test_a_slow_rate_is_told_by_the_minute_or_hour(per_second: float, text: str) -> None:
    assert rate(per_second) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (3_300, "3.3 kB"),
        (412_000, "412 kB"),
        (5_200_000, "5.2 MB"),
        (52_000_000, "52 MB"),
        (1_500_000_000, "1.5 GB"),
    ],
)
def test_sizes_are_counted_in_thousands(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_one_thing_is_singular() -> None:
    assert counted(1, "recipient") == "1 recipient"
    assert counted(2000, "address", "addresses") == "2,000 addresses"


def test_a_moment_of_today_needs_no_date() -> None:
    now = time.mktime((2026, 12, 1, 12, 0, 0, 0, 0, -1))

    assert local_time(now + 10, now) == "12:00:10"
    assert local_time(now + 86_400, now) == local(now + 86_400) == "2026-12-02 12:00:00"


@given(st.integers(min_value=0, max_value=10**12))
def test_a_number_is_still_its_digits(count: int) -> None:
    assert number(count).replace(",", "") == str(count)
