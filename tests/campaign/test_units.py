"""Durations and rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.units import Rate, format_duration, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172800), (12, 12), (1.5, 1.5)],
)
def test_a_duration_is_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-1s", True, "1w", "٣s", "9" * 400])
def test_what_is_no_duration_says_so(text: str | float) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 500ms"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "rate", "is_pace"),
    [
        ("10/s", Rate(10, 1), True),
        ("300/min", Rate(300, 60), True),
        ("500 / h", Rate(500, 3600), False),
        ("2000/day", Rate(2000, 86400), False),
    ],
)
def test_a_rate_is_a_count_in_a_window(text: str, rate: Rate, is_pace: bool) -> None:
    assert parse_rate(text) == rate
    assert rate.is_pace is is_pace


@pytest.mark.parametrize("text", ["", "10", "0/s", "10/week", "-1/s", "1.5/s", "9" * 5000 + "/s"])
def test_what_is_no_rate_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate such as 10/s"):
        parse_rate(text)


@given(st.integers(1, 10**9), st.sampled_from([1.0, 60.0, 3600.0, 86400.0]))
def test_a_rate_reads_back_as_it_is_shown(count: int, window: float) -> None:
    assert parse_rate(str(Rate(count, window))) == Rate(count, window)


@given(st.integers(1, 10**9).map(lambda milliseconds: milliseconds / 1000))
def test_a_duration_reads_back_as_it_is_shown(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)
