from __future__ import annotations

import pytest

from bulkmail.campaign.units import Demand, Rate
from bulkmail.delivery.gates import Gate, Gates
from bulkmail.delivery.meter import FEW, SPAN, Meter
from bulkmail.settings import DomainLimit

GMAIL = frozenset({"gmail.com", "googlemail.com"})


def gate(*rates: Rate, connections: int | None = None) -> Gate:
    return Gate(DomainLimit(name="gmail", domains=GMAIL, rates=rates, connections=connections))


def test_a_gate_lets_through_one_at_a_time_or_what_a_moment_takes() -> None:
    assert gate(Rate(5, 1.0)).room(0) == 1
    assert gate(Rate(200, 1.0)).room(0) == 4
    assert gate(Rate(200, 1.0), Rate(6, 60.0)).room(0) == 1
    assert gate(Rate(5, 3600.0)).room(0) > 1000


def test_whoever_is_inside_takes_room() -> None:
    narrow = gate(connections=2)
    narrow.enter(1)
    narrow.enter(1)
    narrow.enter(2)

    assert narrow.room(0) == 0
    assert narrow.admits(2)
    assert not narrow.admits(3)

    narrow.leave(1)
    narrow.leave(7)

    assert narrow.room(0) == 1
    assert narrow.admits(3)


def test_a_shut_gate_opens_by_itself() -> None:
    hourly = Rate(5, 3600.0)
    shut = gate(hourly)
    shut.shut(100.0, hourly)
    shut.shut(50.0, hourly)

    assert shut.room(99.9) == 0
    assert shut.room(100.0) > 0
    assert shut.spent == hourly


def test_the_next_row_is_made_ready_a_little_before_its_turn() -> None:
    paced = gate(Rate(5, 1.0), Rate(600, 60.0))
    paced.used(100.0, 2, early=0.03)

    assert paced.opens_at == pytest.approx(100.37)
    assert paced.room(100.36) == 0


def test_all_recipients_of_a_message_count() -> None:
    gates = Gates([gate(Rate(5, 1.0)).limit])
    (gmail,) = gates.all()

    paths = ["a@Gmail.com", "b@googlemail.com", "c@x.example"]

    assert gates.of(paths) == {gmail: 2}
    assert gmail.demand(2) == Demand("domain:gmail", (Rate(5, 1.0),), 2)
    assert Gates().of(paths) == {}


def test_a_gate_is_made_for_a_provider_that_asks_for_less() -> None:
    gates = Gates([gate(Rate(5, 1.0)).limit])

    assert not gates.set_up("GMAIL.com")
    assert gates.set_up("hotmail.com")
    assert gates.set_up("corp.example")
    assert not gates.set_up("live.com")
    assert not gates.add("a provider of the future")

    groups = gates.groups()
    assert set(groups) == {"gmail", "outlook", "corp.example"}
    assert set(groups["gmail"]) == GMAIL
    assert "outlook.com" in groups["outlook"]


@pytest.mark.parametrize("per_second", [1, 20])
def test_a_meter_reads_the_pace_of_the_last_seconds(per_second: int) -> None:
    meter = Meter()
    for n in range(30 * per_second):
        meter.tick(1000 + n / per_second)

    assert meter.pace(1030) == pytest.approx(per_second, rel=0.2)
    assert meter.pace(1030 + 2 * SPAN) < per_second / 2
    assert meter.pace(1030 + 5 * SPAN) == 0


def test_a_moments_burst_is_no_pace() -> None:
    meter = Meter()
    for n in range(30):
        meter.tick(1000 + n / 1000)

    assert meter.pace(1000.05) == 30


def test_a_beginning_is_no_measure() -> None:
    meter = Meter()
    assert meter.pace(1000) == 0

    meter.tick(1000)
    assert meter.pace(1000.01) == FEW
    assert meter.pace(1004) == FEW / 4

    meter.tick(1004)
    meter.tick(1006)
    assert meter.pace(1006) == 3 / 6

    meter.tick(1060)
    assert meter.pace(1060.5) == FEW


def test_a_group_goes_at_what_was_metered_and_is_allowed() -> None:
    allowed = gate(Rate(5, 1.0), Rate(1000, 3600.0))
    free = gate()

    assert (allowed.full_pace(1000, most=300), free.full_pace(1000, most=300)) == (5, 300)

    for each in (allowed, free):
        each.meter.tick(1000, 40)

    assert (allowed.full_pace(1000, most=300), free.full_pace(1000, most=300)) == (5, 40)
