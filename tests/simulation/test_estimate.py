"""`plan` foresees what the engine then takes, on the same limits and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import pytest
from simulation.loop import VirtualLoop
from simulation.process import Process
from simulation.sender import EPOCH, VirtualClock
from support.engine import FakeTransport, Recorder, accepted, compose, server

from bulkmail.app.planning import MESSAGE_SECONDS, outlet_of
from bulkmail.campaign.hours import parse_hours
from bulkmail.campaign.units import parse_rate
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import RunSettings
from bulkmail.delivery.engagement import Engagement, Tally
from bulkmail.delivery.engine import Engine
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Mark
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.ledger import MemoryLedger, NewRow
from bulkmail.message.mail_object import MailObject
from bulkmail.schedule.estimate import estimate
from bulkmail.schedule.window import Window
from bulkmail.settings import RetrySettings, ServerSettings
from bulkmail.smtp.transaction import TransactionResult


@dataclass(frozen=True)
class SetUp:
    """Some recipients, some servers, some hours."""

    count: int
    servers: tuple[ServerSettings, ...]
    hours: tuple[str, ...] = ()

    def window(self) -> Window | None:
        if not self.hours:
            return None
        return Window([parse_hours(text) for text in self.hours], (), UTC)


def one(
    name: str = "a", *rates: str, connections: int = 4, weight: int | None = None
) -> ServerSettings:
    found = tuple(parse_rate(rate) for rate in rates)
    return server(name, rates=found, connections=connections, weight=weight)


#: The epoch of the simulation is 8:00 in UTC.
SET_UPS = {
    "a pace": SetUp(300, (one("a", "5/s"),)),
    "a slow pace": SetUp(100, (one("a", "20/min"),)),
    "no limit": SetUp(400, (one("a", connections=3),)),
    "one connection": SetUp(100, (one("a", "300/min", connections=1),)),
    "a quota of an hour": SetUp(170, (one("a", "40/h"),)),
    "a quota of a day and a pace": SetUp(100, (one("a", "2/s", "60/day"),)),
    "a second server when the quota is spent": SetUp(
        300, (one("a", "10/s", "100/h"), one("b", "1/s"))
    ),
    "shares by weight": SetUp(300, (one("a", "3/s", weight=2), one("b", "3/s", weight=1))),
    "a window that shuts": SetUp(200, (one("a", "20/min"),), ("09:00-09:06",)),
    "a window and a quota": SetUp(80, (one("a", "10/s", "30/h"),), ("08:30-10:00",)),
    "several windows": SetUp(500, (one("a", "30/min"),), ("08:00-08:04", "13:00-13:06")),
}


async def send(setup: SetUp, clock: VirtualClock) -> float:
    """Send it all; when the last one was."""
    ledger = MemoryLedger(clock=clock)
    enrolment = await ledger.begin("plan", path="plan.yaml", key_column="email")
    await enrolment.add(
        [
            NewRow(
                row=number,
                key=f"reader{number}@example.com",
                address=f"reader{number}@example.com",
                domain="example.com",
                fields={},
                message_id=f"<{number}@example.com>",
            )
            for number in range(1, setup.count + 1)
        ]
    )
    await enrolment.complete(list_sha256="0")
    run = ledger.run(enrolment.campaign_id, owner="us")
    last = clock.time()

    async def accepts(mail: MailObject, mark: Mark) -> TransactionResult:
        nonlocal last
        await mark()
        await asyncio.sleep(MESSAGE_SECONDS)
        last = clock.time()
        return accepted(mail)

    window = setup.window()
    shared = Engagement(
        ledger=run,
        compose=compose,
        policy=RetryPolicy(RetrySettings(), Random(1)),
        clock=clock,
        control=Control(clock),
        observer=Recorder(),
        shut_until=_open if window is None else window.shut_until,
        tally=Tally(),
    )
    lanes = [
        Lane(FakeTransport(found.name, accepts), found, run, clock, is_patient=True)
        for found in setup.servers
    ]
    await Engine(lanes, shared, RunSettings()).run()
    counts = await ledger.counts(enrolment.campaign_id)
    assert counts.sent == setup.count
    await ledger.close()
    return last


def _open(now: float) -> None:
    del now


def simulated(setup: SetUp) -> float:
    loop = VirtualLoop(max_steps=3_000_000, max_seconds=1e8)
    try:
        process = Process("engine")
        task = process.context.run(loop.create_task, send(setup, VirtualClock(loop)))
        loop.run(task.done)
        return float(task.result())
    finally:
        loop.dispose()


def foreseen(setup: SetUp) -> float:
    window = setup.window()
    never: Callable[[float], float | None] = _open
    found = estimate(
        setup.count,
        [outlet_of(one, {}) for one in setup.servers],
        starts_at=EPOCH,
        shut_until=never if window is None else window.shut_until,
        shuts_at=never if window is None else window.shuts_at,
    )
    return found.ends_at


def test_the_hours_of_the_set_ups_are_meant() -> None:
    assert datetime.fromtimestamp(EPOCH, UTC).hour == 8


@pytest.mark.parametrize("name", SET_UPS)
def test_what_is_foreseen_is_within_a_tenth_of_what_the_engine_takes(name: str) -> None:
    setup = SET_UPS[name]

    took = simulated(setup) - EPOCH
    told = foreseen(setup) - EPOCH

    assert told == pytest.approx(took, rel=0.1), f"{told:.0f} s foreseen, {took:.0f} s taken"
