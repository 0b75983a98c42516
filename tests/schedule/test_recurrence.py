from datetime import date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign.every import parse_every
from bulkmail.clock import moment
from bulkmail.schedule.local_time import instant_of, midnight
from bulkmail.schedule.recurrence import count_between, recurrence

BERLIN = ZoneInfo("Europe/Berlin")


def times(every: str, begin: str, end: str, zone: ZoneInfo = BERLIN) -> list[str]:
    """The occurrences from `begin` on (local), before `end`, as the wall clock shows them."""
    after = instant_of(datetime.fromisoformat(begin), zone) - 1
    until = instant_of(datetime.fromisoformat(end), zone)
    found = takewhile(lambda at: at < until, recurrence(parse_every(every), zone).after(after))
    return [f"{moment(at).astimezone(zone):%d %H:%M%z}" for at in found]


def test_a_time_that_does_not_exist_comes_at_the_next_instant() -> None:
    assert times("30 2 * * *", "2027-03-27", "2027-03-30") == [
        "27 02:30+0100",
        "28 03:00+0200",
        "29 02:30+0200",
    ]


def test_a_time_that_exists_twice_comes_once() -> None:
    assert times("30 2 * * *", "2026-10-24", "2026-10-27") == [
        "24 02:30+0200",
        "25 02:30+0200",
        "26 02:30+0100",
    ]


def test_several_times_that_do_not_exist_are_one() -> None:
    assert times("0,20,40 2,3 * * *", "2027-03-28", "2027-03-29") == [
        "28 03:00+0200",
        "28 03:20+0200",
        "28 03:40+0200",
    ]


def test_every_ten_minutes_goes_on_through_the_hour_that_comes_twice() -> None:
    found = times("*/10 * * * *", "2026-10-25T02:00", "2026-10-25T03:00")

    assert len(found) == 12
    assert len(set(found)) == 12


def test_every_ten_minutes_leaves_no_hole_where_the_clock_is_set_forward() -> None:
    found = times("*/10 * * * *", "2027-03-28T01:50", "2027-03-28T03:20")

    assert found == ["28 01:50+0100", "28 03:00+0200", "28 03:10+0200"]


def test_once_an_hour_comes_once_in_the_hour_that_the_clock_is_set_forward_to() -> None:
    found = times("43 * * * *", "2027-03-28T00:00", "2027-03-28T05:00")

    assert found == ["28 00:43+0100", "28 01:43+0100", "28 03:43+0200", "28 04:43+0200"]


def test_once_an_hour_comes_once_where_the_clock_is_set_forward_to_midnight() -> None:
    samoa = ZoneInfo("Pacific/Apia")  # left out a whole day
    found = times("43 * * * *", "2011-12-29T22:00", "2011-12-31T02:00", samoa)

    assert found == ["29 22:43-1000", "29 23:43-1000", "31 00:43+1400", "31 01:43+1400"]


def test_every_other_hour_does_not_go_without_the_one_that_does_not_exist() -> None:
    found = times("43 */2 * * *", "2027-03-28T00:00", "2027-03-28T05:00")

    assert found == ["28 00:43+0100", "28 03:00+0200", "28 04:43+0200"]


def test_either_day_field_is_enough_where_neither_is_a_star() -> None:
    found = times("0 9 13 * fri", "2026-11-01", "2026-11-21")

    assert [day[:2] for day in found] == ["06", "13", "20"]


def test_a_leap_day_is_found() -> None:
    found = recurrence(parse_every("0 0 29 2 *"), BERLIN).after(midnight(date(2096, 3, 1), BERLIN))

    assert moment(next(found)).astimezone(BERLIN).date().isoformat() == "2104-02-29"


def test_a_length_of_time_is_counted_from_midnight_of_the_zone() -> None:
    found = times("1d", "2026-11-01", "2026-11-03", ZoneInfo("Asia/Shanghai"))

    assert found == ["01 00:00+0800", "02 00:00+0800"]
    assert times("10m", "2026-11-01T00:01", "2026-11-01T00:25") == [
        "01 00:10+0100",
        "01 00:20+0100",
    ]


ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "Pacific/Apia"]
).map(ZoneInfo)
FIELDS = st.tuples(
    st.sampled_from(["0", "*/10", "5,35", "30", "*", "0-20/7"]),
    st.sampled_from(["*", "2", "0", "*/3", "1-3", "23"]),
    st.sampled_from(["*", "1", "13", "L", "28-31"]),
    st.sampled_from(["*", "3,10", "4", "jan"]),
    st.sampled_from(["*", "mon", "mon-fri", "7", "5#2"]),
).map(" ".join)
EVERY = st.one_of(FIELDS, st.sampled_from(["1s", "10m", "90m", "1d", "7d"])).map(parse_every)
NOW = st.integers(1_700_000_000, 2_000_000_000)


@given(every=EVERY, zone=ZONES, start=NOW)
def test_occurrences_are_in_order_and_each_comes_once(every, zone, start) -> None:  # type: ignore[no-untyped-def]
    found = list(islice(recurrence(every, zone).after(start), 30))

    assert found[0] > start
    assert all(one < another for one, another in pairwise(found))


@given(every=EVERY, zone=ZONES, start=NOW, span=st.integers(0, 3 * 86400))
def test_the_latest_is_the_last_of_those_that_are_walked_through(every, zone, start, span) -> None:  # type: ignore[no-untyped-def]
    found = recurrence(every, zone)
    walked = list(islice(takewhile(lambda at: at <= start + span, found.after(start)), 400))

    latest = found.latest(start, start + span)

    if len(walked) < 400:
        assert latest == (walked[-1] if walked else None)
        assert count_between(found, start, start + span) == min(len(walked), 1000)


@settings(max_examples=30)
@given(fields=FIELDS, zone=ZONES, start=NOW)
def test_they_are_those_of_cronsim_on_the_wall_clock(
    fields: str, zone: ZoneInfo, start: int
) -> None:
    ours = list(islice(recurrence(parse_every(fields), zone).after(start), 20))
    naive = moment(start).astimezone(zone).replace(tzinfo=None)

    theirs = [
        instant_of(local, zone) for local in islice(CronSim(fields, naive - timedelta(days=1)), 400)
    ]
    end = min(ours[-1], theirs[-1])
    wanted = {at for at in theirs if start < at <= end}
    got = {at for at in ours if at <= end}

    assert wanted <= got
    # Where the hour is a star, the second pass of an hour that comes twice is there as well.
    assert got == wanted or fields.split()[1].startswith("*")


@pytest.mark.parametrize("text", ["daily", "61 * * * *", "0 0 30 2 *", "0.5s", "* * * * * *", ""])
def test_what_is_no_recurrence_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|too fine|never comes"):
        parse_every(text)
