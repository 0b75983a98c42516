from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.schedule.timetable import Due, Timetable, timetable

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()


def schedule(**keys: object) -> Timetable:
    found = timetable(ScheduleModel.model_validate({"timezone": "Asia/Shanghai", **keys}))
    assert found is not None
    return found


def due(
    table: Timetable, now: str, seen: str = "2026-11-01", handled: str | None = None
) -> Due | None:
    return table.due(at(now), first_seen=at(seen), handled=None if handled is None else at(handled))


def test_without_at_and_every_there_is_no_timetable() -> None:
    assert timetable(ScheduleModel.model_validate({"window": "09:00-18:00"})) is None


def test_at_is_due_from_its_moment_on_and_once() -> None:
    table = schedule(at="2026-12-01T09:00")

    assert due(table, "2026-12-01T08:59:59") is None
    assert due(table, "2026-12-01T09:00") == Due(due_at=at("2026-12-01T09:00"))
    assert due(table, "2027-03-01") == Due(due_at=at("2026-12-01T09:00"))
    assert due(table, "2027-03-01", handled="2026-12-01T09:00") is None


def test_an_at_with_an_offset_is_not_in_the_zone() -> None:
    table = schedule(at="2026-12-01T09:00+00:00")

    assert table.at == at("2026-12-01T17:00")


def test_the_first_occurrence_is_the_first_after_the_campaign_was_seen() -> None:
    table = schedule(every="0 9 * * *")

    assert due(table, "2026-12-01T12:00", seen="2026-12-01T09:30") is None
    assert due(table, "2026-12-02T09:00", seen="2026-12-01T09:30") == Due(
        due_at=at("2026-12-02T09:00")
    )


def test_several_that_were_missed_are_run_as_one() -> None:
    table = schedule(every="0 9 * * *")

    found = due(table, "2026-12-05T08:00", handled="2026-12-01T09:00")

    assert found == Due(due_at=at("2026-12-04T09:00"), missed=2)


def test_what_is_skipped_is_too_late_only_after_its_grace() -> None:
    table = schedule(at="2026-12-01T09:00", misfire="skip", grace="2h")

    in_time, late = due(table, "2026-12-01T11:00"), due(table, "2026-12-01T11:00:01")

    assert in_time is not None
    assert not in_time.too_late
    assert late is not None
    assert "too late" in late.too_late


def test_grace_is_counted_from_the_opening_of_the_window() -> None:
    table = schedule(at="2026-12-01T05:00", misfire="skip", grace="10m", window="09:00-18:00")

    found = due(table, "2026-12-01T09:05")

    assert found is not None
    assert not found.too_late


def test_what_is_due_in_a_shut_window_waits_for_it() -> None:
    found = due(schedule(every="1h", window="09:00-18:00"), "2026-12-01T20:30", "2026-12-01T19:30")

    assert found is not None
    assert found.waits_until == at("2026-12-02T09:00")


def test_until_ends_a_series_and_makes_the_rest_too_late() -> None:
    table = schedule(every="0 9 * * *", until="2026-12-02")

    assert list(table.upcoming(at("2026-12-01"))) == [
        at("2026-12-01T09:00"),
        at("2026-12-02T09:00"),
    ]
    found = due(table, "2026-12-03T00:00:01", handled="2026-12-01T09:00")
    assert found is not None
    assert found.due_at == at("2026-12-02T09:00")
    assert "too late" in found.too_late
    assert due(table, "2026-12-09", handled="2026-12-02T09:00") is None


@given(
    every=st.sampled_from(["*/10 * * * *", "30 2 * * *", "0 */6 * * mon-fri", "7m", "1d"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Shanghai"]),
    start=st.integers(1_790_000_000, 1_860_000_000),
    jumps=st.lists(st.integers(-90_000, 200_000), max_size=40),
    shut=st.sampled_from([None, "09:00-18:00", "mon-fri 22:00-03:00"]),
)
def test_each_occurrence_comes_once_whatever_the_clock_and_the_process_do(
    every: str, zone: str, start: int, jumps: list[int], shut: str | None
) -> None:
    """A jump is a restart after that time, or a clock that was set, also back."""
    keys: dict[str, object] = {"every": every, "timezone": zone}
    table = timetable(ScheduleModel.model_validate(keys | ({"window": shut} if shut else {})))
    assert table is not None
    now, handled, begun, covered = float(start), None, [], 0
    for jump in jumps:
        now += jump
        found = table.due(now, first_seen=start, handled=handled)
        if found is None or found.waits_until is not None:
            continue
        assert start < found.due_at <= now
        assert table.window is None or table.window.is_open(now)
        begun.append(found.due_at)
        handled = found.due_at
        covered += 1 + found.missed

    assert begun == sorted(set(begun))
    assert table.every is not None
    if handled is not None and covered < 1000:
        passed = []
        for instant in table.every.after(start):
            if instant > handled:
                break
            passed.append(instant)
        # Each that passed was begun, or run as one with a later one: none is lost, none is twice.
        assert set(begun) <= set(passed)
        assert covered == len(passed)
