from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from bulkmail.schedule.window import Window

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str, zone: ZoneInfo = SHANGHAI) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-01T09:00", None),
        ("2026-12-01T17:59:59", None),
        ("2026-12-01T18:00", "2026-12-02T09:00"),
        ("2026-12-01T08:59:59", "2026-12-01T09:00"),
        ("2026-12-31T23:00", "2027-01-01T09:00"),
    ],
)
def test_a_window_of_the_day(now: str, until: str | None) -> None:
    window = Window(time(9), time(18), SHANGHAI)

    assert window.shut_until(at(now)) == (at(until) if until else None)


@pytest.mark.parametrize(
    ("now", "until"),
    [("23:30", None), ("00:30", None), ("06:00", "22:00"), ("21:59", "22:00")],
)
def test_a_window_over_midnight(now: str, until: str | None) -> None:
    window = Window(time(22), time(6), SHANGHAI)

    expected = at(f"2026-12-01T{until}") if until else None
    assert window.shut_until(at(f"2026-12-01T{now}")) == expected


def test_a_window_that_closes_at_midnight_is_open_to_the_day_s_end() -> None:
    window = Window(time(20), time(0), SHANGHAI)

    assert window.is_open(at("2026-12-01T23:59:59"))
    assert not window.is_open(at("2026-12-01T00:00"))


def test_the_hours_are_the_zones() -> None:
    window = Window(time(9), time(18), SHANGHAI)

    assert window.is_open(datetime(2026, 12, 1, 1, 0, tzinfo=UTC).timestamp())
    assert not window.is_open(datetime(2026, 12, 1, 12, 0, tzinfo=UTC).timestamp())


def test_it_opens_by_the_clock_on_the_wall_when_summer_time_begins() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(time(9), time(18), berlin)

    assert window.shut_until(at("2027-03-27T18:00", berlin)) == at("2027-03-28T09:00", berlin)
