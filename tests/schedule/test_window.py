from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.hours import Days, parse_days, parse_hours
from bulkmail.schedule.window import Window

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def window(*hours: str, zone: ZoneInfo = SHANGHAI, blackout: tuple[str, ...] = ()) -> Window:
    return Window([parse_hours(text) for text in hours], [parse_days(a) for a in blackout], zone)


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
    assert window("09:00-18:00").shut_until(at(now)) == (at(until) if until else None)


@pytest.mark.parametrize(
    ("now", "until"),
    [("23:30", None), ("00:30", None), ("06:00", "22:00"), ("21:59", "22:00")],
)
def test_a_window_over_midnight(now: str, until: str | None) -> None:
    expected = at(f"2026-12-01T{until}") if until else None
    assert window("22:00-06:00").shut_until(at(f"2026-12-01T{now}")) == expected


def test_a_window_that_closes_at_midnight_is_open_to_the_day_s_end() -> None:
    for text in ("20:00-24:00", "20:00-00:00"):
        assert window(text).is_open(at("2026-12-01T23:59:59"))
        assert not window(text).is_open(at("2026-12-01T00:00"))


def test_the_hours_are_the_zones() -> None:
    hours = window("09:00-18:00")

    assert hours.is_open(datetime(2026, 12, 1, 1, 0, tzinfo=UTC).timestamp())
    assert not hours.is_open(datetime(2026, 12, 1, 12, 0, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-04T17:59", None),  # Friday
        ("2026-12-04T18:00", "2026-12-05T10:00"),
        ("2026-12-05T11:59", None),
        ("2026-12-05T12:00", "2026-12-07T09:00"),
        ("2026-12-06T10:30", "2026-12-07T09:00"),
    ],
)
def test_hours_by_weekday(now: str, until: str | None) -> None:
    hours = window("mon-fri 09:00-18:00", "sat 10:00-12:00")

    assert hours.shut_until(at(now)) == (at(until) if until else None)


def test_the_weekday_of_a_night_is_that_of_its_evening() -> None:
    hours = window("fri 22:00-06:00")

    assert hours.is_open(at("2026-12-04T23:00"))
    assert hours.is_open(at("2026-12-05T05:59"))
    assert not hours.is_open(at("2026-12-04T05:00"))
    assert not hours.is_open(at("2026-12-05T22:00"))


def test_a_blackout_shuts_whole_days_on_both_ends() -> None:
    hours = window("09:00-18:00", blackout=("2027-02-06..2027-02-12", "2026-12-25"))

    assert hours.shut_until(at("2027-02-05T18:00")) == at("2027-02-13T09:00")
    assert hours.shut_until(at("2026-12-25T12:00")) == at("2026-12-26T09:00")
    assert hours.is_open(at("2026-12-24T17:00"))


def test_a_night_goes_on_at_midnight_when_a_blackout_ends_in_it() -> None:
    hours = window("22:00-06:00", blackout=("2026-12-25",))

    assert hours.shut_until(at("2026-12-25T01:00")) == at("2026-12-26T00:00")


def test_a_blackout_alone_leaves_all_other_days_open() -> None:
    days = window(blackout=("2026-12-25",))

    assert days.shut_until(at("2026-12-25T12:00")) == at("2026-12-26T00:00")
    assert days.is_open(at("2026-12-26T03:00"))


def test_it_opens_by_the_clock_on_the_wall_when_summer_time_begins() -> None:
    hours = window("09:00-18:00", zone=BERLIN)

    assert hours.shut_until(at("2027-03-27T18:00", BERLIN)) == at("2027-03-28T09:00", BERLIN)


def test_hours_that_the_clock_leaves_out_do_not_open() -> None:
    hours = window("02:10-02:50", zone=BERLIN)

    assert hours.shut_until(at("2027-03-27T03:00", BERLIN)) == at("2027-03-29T02:10", BERLIN)


def test_a_clock_that_is_set_back_into_the_hours_opens_them_once_more() -> None:
    hours = window("02:00-02:30", zone=BERLIN)

    assert hours.shut_until(at("2026-10-25T02:40", BERLIN)) == at("2026-10-25T02:00", BERLIN, 1)


ZONES = st.sampled_from(
    ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
).map(ZoneInfo)
CLOCK = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
DAYS = st.sampled_from(["", "mon-fri ", "sat,sun ", "fri-mon ", "wed "])


@given(
    zone=ZONES,
    days=DAYS,
    ends=st.tuples(CLOCK, CLOCK).filter(lambda ends: ends[0] != ends[1]),
    now=st.integers(1_790_000_000, 1_860_000_000),
    black=st.dates(date(2026, 10, 1), date(2028, 12, 1)),
)
def test_it_is_open_at_its_opening_and_shut_until_then(
    zone: ZoneInfo, days: str, ends: tuple[str, str], now: int, black: date
) -> None:
    hours = parse_hours(f"{days}{ends[0]}-{ends[1]}")
    found = Window([hours], [Days(black, black)], zone)

    opens = found.shut_until(now)

    if opens is None:
        assert found.is_open(now)
        return
    assert opens > now
    assert found.is_open(opens)
    # The minutes before are shut, the nearest ones and some of all.
    first = opens - opens % 60
    minutes = int((first - now) // 60)
    for before in [*range(1, min(60, minutes)), *range(60, minutes, 97)]:
        assert not found.is_open(first - 60 * before)


def test_every_hour_of_a_year_is_as_the_wall_clock_says() -> None:
    hours = window("mon-fri 08:30-17:15", zone=ZoneInfo("America/New_York"))
    start = int(at("2026-01-01T00:00", ZoneInfo("America/New_York")))

    for quarter in range(0, 366 * 24 * 4, 3):
        now = start + quarter * 900
        local = datetime.fromtimestamp(now, ZoneInfo("America/New_York"))
        expected = local.weekday() < 5 and "08:30" <= f"{local:%H:%M}" < "17:15"
        assert hours.is_open(now) is expected
