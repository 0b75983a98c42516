"""Signals at the edges of a run: behind its end, and behind the context that answers them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import pytest
from support.commandline import Cli
from support.mail_project import MailProject

from bulkmail.app.interrupts import SIGNALS, Interrupts
from bulkmail.clock import SystemClock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.errors import Interrupted
from bulkmail.ledger import Enrolment, NewRow
from bulkmail.ledger.driver import ScratchDriver
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


async def test_a_terminal_that_is_closed_stops_a_run_and_never_cuts_it() -> None:
    """SIGHUP comes from the kernel and from the shell: twice within a moment."""
    control = Control(SystemClock())
    interrupts = Interrupts(control, Silence())

    async def finishing() -> RunResult:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.01)
        return RunResult(ending=Ending.INTERRUPTED, sentence="finished")

    with interrupts.installed():
        result = await interrupts.cuttable(finishing())

    assert control.is_stopping
    assert result.sentence == "finished"


async def test_before_a_run_a_closed_terminal_ends_the_command() -> None:
    async def preparing() -> None:
        with Interrupts(Control(SystemClock()), Silence()).installed():
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.Event().wait()

    with pytest.raises(Interrupted):
        await preparing()


async def test_what_was_started_by_nohup_goes_on() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(Control(SystemClock()), Silence()).installed():
            during = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert during is signal.SIG_IGN


def test_a_pass_that_is_given_up_leaves_nothing_to_a_closed_ledger(
    cli: Cli, project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted again while it clears away: a crash leaves as much, and no traceback."""
    project.save()
    add, abandon, close = Enrolment.add, Enrolment.abandon, ScratchDriver.close
    commands: list[asyncio.Task[Any]] = []
    steps: list[str] = []

    async def noting(enrolment: Enrolment, rows: Sequence[NewRow]) -> None:
        command = asyncio.current_task()
        assert command is not None
        commands.append(command)
        command.cancel()
        await add(enrolment, rows)

    async def interrupted(enrolment: Enrolment) -> None:
        commands[0].cancel()
        try:
            await abandon(enrolment)
        finally:
            steps.append("given up")

    async def closing(driver: ScratchDriver) -> None:
        steps.append("closed")
        await close(driver)

    monkeypatch.setattr(Enrolment, "add", noting)
    monkeypatch.setattr(Enrolment, "abandon", interrupted)
    monkeypatch.setattr(ScratchDriver, "close", closing)

    with contextlib.suppress(asyncio.CancelledError):
        cli("check", "letter")

    assert steps == ["given up", "closed"]
