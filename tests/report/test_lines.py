from __future__ import annotations

import asyncio
import io
import re

import pytest
from support.watching import HandClock, attempt, delivery

from bulkmail.campaign.units import Rate
from bulkmail.errors import LedgerError
from bulkmail.fate import Counts, State
from bulkmail.report.lines import INTERVAL, LineDisplay


def undated(out: io.StringIO) -> list[str]:
    lines = out.getvalue().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    return [line[20:] for line in lines]


async def turns() -> None:
    """Let a timer of a microsecond go off."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_short_run_is_one_line_as_its_summary_is_the_next() -> None:
    out, clock = io.StringIO(), HandClock()

    with LineDisplay(out, clock) as display:
        display.begin("offer-letter", Counts(pending=2), 2)
        display.attempted(delivery(), attempt())
        display.attempted(delivery(), attempt(State.FAILED, code=550))

    assert undated(out) == ["offer-letter: 2 to go"]


def test_a_run_that_breaks_off_says_how_far_it_came() -> None:
    out, clock = io.StringIO(), HandClock()

    def break_off() -> None:
        with LineDisplay(out, clock) as display:
            display.begin("c", Counts(pending=3), 3)
            clock.now += 1
            display.attempted(delivery(), attempt())
            raise LedgerError("the disk is full")

    with pytest.raises(LedgerError):
        break_off()

    assert undated(out)[-1] == "c: 1 of 3; sent 1, deferred 0, failed 0, 1.0/s"


def test_a_run_with_nobody_before_it_goes_on_with_nothing() -> None:
    out = io.StringIO()

    LineDisplay(out, HandClock()).begin("c", Counts(sent=3), 0)

    assert undated(out) == []


def test_a_limited_run_says_how_many_it_leaves() -> None:
    out = io.StringIO()

    LineDisplay(out, HandClock()).begin("c", Counts(pending=40, deferred=2), 5)

    assert undated(out) == ["c: 5 of 42 to go"]


def test_days_that_a_quota_will_take_are_said_beforehand() -> None:
    out = io.StringIO()

    LineDisplay(out, HandClock()).begin("c", Counts(pending=3000), 3000, [[Rate(200, 86_400)]])

    assert undated(out) == ["c: 3,000 to go, 14 d at least at the servers' rates"]


def test_a_resumed_campaign_goes_on() -> None:
    out = io.StringIO()

    LineDisplay(out, HandClock()).begin("offer-letter", Counts(sent=1211, pending=789), 789)

    assert undated(out) == ["offer-letter: going on, 789 to go"]


def test_lines_in_between_are_an_interval_apart() -> None:
    out, clock = io.StringIO(), HandClock()

    with LineDisplay(out, clock) as display:
        display.begin("c", Counts(pending=1000), 1000)
        for _ in range(100):
            clock.now += 0.5
            display.attempted(delivery(), attempt())

    assert len(undated(out)) == 1 + 50 / INTERVAL


def test_a_long_check_says_how_far_it_is() -> None:
    out, clock = io.StringIO(), HandClock()
    display = LineDisplay(out, clock)

    display.checking(1000, 50_000)
    clock.now += INTERVAL
    display.checking(12_000, 50_000)
    clock.now += INTERVAL
    display.checking(13_000, None)

    assert undated(out) == ["checked 12,000 of 50,000 rows", "read 13,000 rows"]


def test_what_it_waits_for_is_said_once() -> None:
    out, clock = io.StringIO(), HandClock()
    display = LineDisplay(out, clock)
    display.begin("c", Counts(pending=1), 1)

    clock.now += INTERVAL
    for _ in range(3):
        display.waiting("greylisted", None)
        clock.now += INTERVAL

    assert undated(out) == ["c: 1 to go", "c: waiting: greylisted"]


def test_a_wait_that_is_going_to_be_long_is_told_at_once() -> None:
    out, clock = io.StringIO(), HandClock()
    display = LineDisplay(out, clock)
    display.begin("c", Counts(pending=1), 1)

    display.waiting("the quota 2/day is spent", clock.now + 86_400)

    (_, line) = undated(out)
    assert line.startswith("c: waiting until ")
    assert line.endswith(" (the quota 2/day is spent)")


def test_the_same_trouble_of_a_server_is_told_once() -> None:
    out = io.StringIO()
    display = LineDisplay(out, HandClock())

    for sentence in ("refused", "refused", "unreachable", "", "refused"):
        display.server_changed("primary", sentence)

    assert undated(out) == [
        "primary: refused",
        "primary: unreachable",
        "primary: usable again",
        "primary: refused",
    ]


def test_it_knows_which_troubles_stand_among_its_lines() -> None:
    display = LineDisplay(io.StringIO(), HandClock())
    display.server_changed("primary", "refused")
    display.server_changed("backup", "unreachable")

    assert display.has_told("backup: unreachable\nprimary: refused")
    assert not display.has_told("primary: unreachable")
    assert not display.has_told("")


async def test_a_wait_that_begins_in_a_busy_moment_is_told_later() -> None:
    out, clock = io.StringIO(), HandClock()
    display = LineDisplay(out, clock, interval=1e-6)
    display.begin("c", Counts(pending=1), 1)

    display.waiting("first", None)
    display.waiting("greylisted", None)
    assert len(undated(out)) == 1
    await turns()

    assert undated(out) == ["c: 1 to go", "c: waiting: greylisted"]


async def test_a_wait_that_is_over_is_not_told() -> None:
    out, clock = io.StringIO(), HandClock()
    with LineDisplay(out, clock, interval=1e-6) as display:
        display.begin("c", Counts(pending=1), 1)

        display.waiting("greylisted", None)
        display.waiting("", None)
        await turns()

    assert undated(out) == ["c: 1 to go"]


def test_a_server_that_comes_and_goes_is_told() -> None:
    out = io.StringIO()
    display = LineDisplay(out, HandClock())

    display.server_changed("backup", "")
    display.server_changed("primary", "unreachable")
    display.server_changed("primary", "")

    assert undated(out) == ["primary: unreachable", "primary: usable again"]


def test_a_servers_text_cannot_write_a_line_of_its_own() -> None:
    out = io.StringIO()

    LineDisplay(out, HandClock()).server_changed(
        "primary", "no\n2026-12-01 09:00:00 all sent\x1b[1A"
    )

    assert undated(out) == [r"primary: no\x0a2026-12-01 09:00:00 all sent\x1b[1A"]
