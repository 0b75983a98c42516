"""Signals at the edges of a run: behind its end, and behind the context that answers them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from bulkmail.app.interrupts import SIGNALS, Interrupts
from bulkmail.clock import SystemClock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.report.silence import Silence

BOTH = pytest.mark.parametrize("number", SIGNALS, ids=["INT", "TERM"])


@pytest.fixture
def own_handlers() -> Iterator[list[int]]:
    """Handlers of the program around, and what they got."""
    got: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        got.append(number)

    before = [(number, signal.signal(number, handle)) for number in SIGNALS]
    yield got
    for number, handler in before:
        signal.signal(number, handler)


async def done() -> RunResult:
    return RunResult(ending=Ending.DONE)


@BOTH
async def test_behind_the_end_of_a_run_a_signal_changes_nothing(number: signal.Signals) -> None:
    interrupts = Interrupts(Control(SystemClock()), Silence())

    with interrupts.installed():
        result = await interrupts.cuttable(done())
        os.kill(os.getpid(), number)
        for _ in range(10):
            await asyncio.sleep(0)

    assert result.ending is Ending.DONE


@BOTH
async def test_the_handlers_of_the_program_around_are_put_back(
    own_handlers: list[int], number: signal.Signals
) -> None:
    with Interrupts(Control(SystemClock()), Silence()).installed():
        pass
    os.kill(os.getpid(), number)

    assert own_handlers == [number]
