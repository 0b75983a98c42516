from __future__ import annotations

import pytest
from support.watching import HandClock, attempt, delivery

from bulkmail.campaign.units import Rate
from bulkmail.fate import Counts, State
from bulkmail.report.tally import RATE_WINDOW, Tally


def test_what_is_done_is_counted_on_top_of_where_the_campaign_stood() -> None:
    tally = Tally("c", Counts(pending=3, sent=10), 3, HandClock())

    tally.add(delivery(), attempt(State.SENT))
    tally.add(delivery(), attempt(State.DEFERRED, code=450))
    tally.add(delivery(), attempt(State.FAILED, code=550))

    assert tally.states() == ["sent 11", "deferred 1", "failed 1"]
    assert tally.done == 2


def test_a_deferred_recipient_who_is_sent_to_is_deferred_no_more() -> None:
    tally = Tally("c", Counts(deferred=1), 1, HandClock())

    tally.add(delivery(tried_before=True), attempt(State.SENT))

    assert tally.count(State.DEFERRED) == 0
    assert tally.count(State.SENT) == 1


def test_doubts_are_shown_when_there_are_some() -> None:
    tally = Tally("c", Counts(pending=1), 1, HandClock())

    tally.add(delivery(), attempt(State.IN_DOUBT, code=None))

    assert "in doubt 1" in tally.states()


def test_who_was_in_doubt_and_is_sent_to_again_is_done_once() -> None:
    tally = Tally("c", Counts(pending=3), 3, HandClock())
    for _ in range(3):
        tally.add(delivery(), attempt(State.IN_DOUBT, code=None))
    resent = delivery(tried_before=True, doubts=1)

    tally.add(resent, attempt(State.SENT))
    tally.add(resent, attempt(State.DEFERRED, code=450))
    shown = tally.states(), tally.done
    tally.add(resent, attempt(State.SENT))

    assert shown == (["sent 1", "deferred 1", "failed 0", "in doubt 1"], 2)
    assert tally.count(State.SENT) == 2
    assert tally.done <= tally.limit


def test_whom_an_earlier_run_left_in_doubt_is_done_when_sent_to() -> None:
    tally = Tally("c", Counts(in_doubt=2), 2, HandClock())

    for _ in range(2):
        tally.add(delivery(tried_before=True, doubts=1), attempt(State.SENT))

    assert (tally.done, tally.states()) == (2, ["sent 2", "deferred 0", "failed 0"])


def test_nothing_is_said_of_a_rate_before_there_is_one() -> None:
    tally = Tally("c", Counts(pending=1), 1, HandClock())

    assert tally.pace() == ""
    assert tally.to_go() == ""


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ([[Rate(1, 1), Rate(30, 60), Rate(500, 86400)]], "30.0/min of 30/min"),
        ([[Rate(500, 86400)]], "30.0/min"),
        ([[Rate(1, 1)], [Rate(1, 1)]], "30.0/min"),
        ([[]], "30.0/min"),
        ([], "30.0/min"),
    ],
    ids=["the slowest pace", "a quota alone", "two servers", "no limit", "unknown"],
)
def test_the_rate_is_told_beside_the_pace_that_holds_it(
    limits: list[list[Rate]], said: str
) -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=9), 9, clock, limits)
    clock.now += 2

    tally.add(delivery(), attempt())

    assert tally.pace() == said


def test_the_rate_is_of_late() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=1000), 1000, clock)
    for _ in range(100):  # 100/s for a second, then 1/s
        clock.now += 0.01
        tally.add(delivery(), attempt())
    for _ in range(3 * int(RATE_WINDOW)):
        clock.now += 1
        tally.add(delivery(), attempt())

    assert tally.per_second == pytest.approx(1.0, rel=0.1)


def test_the_time_to_go_is_that_of_what_is_left() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=172), 172, clock)
    for _ in range(10):
        clock.now += 1
        tally.add(delivery(), attempt())

    assert tally.to_go() == "about 2 min 42 s to go"


def test_a_rest_is_no_part_of_the_rate_and_is_waited_for() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=30), 30, clock)
    for _ in range(10):
        clock.now += 1
        tally.add(delivery(), attempt())
    tally.rest(clock.now + 100)
    clock.now += 40

    assert tally.pace() == ""
    assert tally.to_go() == "about 1 min 20 s to go"

    clock.now += 60
    tally.go_on()

    assert tally.pace() == "1.0/s"
    assert tally.to_go() == "about 20 s to go"


def test_while_it_waits_for_nobody_knows_how_long_no_time_is_given() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=30), 30, clock)
    clock.now += 1
    tally.add(delivery(), attempt())
    tally.rest(None)

    assert tally.to_go() == ""


def test_a_quota_that_is_not_spent_yet_is_reckoned_with() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=3000), 3000, clock, [[Rate(20, 1), Rate(200, 86_400)]])
    for _ in range(100):
        clock.now += 0.05
        tally.add(delivery(), attempt())

    assert tally.to_go() == "about 13 d 23 h to go"


def test_a_spent_quota_is_waited_for_once_for_each_time_it_is_filled() -> None:
    clock = HandClock()
    tally = Tally("c", Counts(pending=600), 600, clock, [[Rate(200, 86_400)]])
    for _ in range(200):
        clock.now += 0.05
        tally.add(delivery(), attempt())
    tally.rest(clock.now + 3600)

    assert tally.to_go() == "about 1 d 1 h to go"
