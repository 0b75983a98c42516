from __future__ import annotations

import asyncio
import io
import re

from support.watching import HandClock, attempt, delivery

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


def test_the_first_and_the_last_line_are_always_there() -> None:
    out, clock = io.StringIO(), HandClock()

    with LineDisplay(out, clock) as display:
        display.begin("offer-letter", Counts(pending=2), 2)
        display.attempted(delivery(), attempt())
        display.attempted(delivery(), attempt(State.FAILED, code=550))

    assert undated(out) == [
        "offer-letter: 2 to go",
        "offer-letter: 2 of 2; sent 1, deferred 0, failed 1",
    ]


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

    assert undated(out) == ["checked 12,000 of 50,000 rows", "checked 13,000 rows"]


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
    assert line.startswith("c: waiting: the quota 2/day is spent until ")


def test_the_end_of_a_run_guesses_no_more() -> None:
    out, clock = io.StringIO(), HandClock()
    with LineDisplay(out, clock) as display:
        display.begin("c", Counts(pending=3), 3)
        clock.now += 1
        display.attempted(delivery(), attempt())

    assert undated(out)[-1] == "c: 1 of 3; sent 1, deferred 0, failed 0, 1.0/s"


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
