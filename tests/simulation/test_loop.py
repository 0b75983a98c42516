"""The virtual loop: time that jumps, processes that die and sleep."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

import pytest
from simulation.loop import NeverEnds, VirtualLoop
from simulation.process import Process


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop(max_steps=1000, max_seconds=1e6)
    yield made
    made.dispose()


def begin(loop: VirtualLoop, process: Process, diary: list[float]) -> asyncio.Task[None]:
    async def write() -> None:
        while True:
            await asyncio.sleep(10)
            diary.append(loop.time())

    return process.context.run(loop.create_task, write())


def passes(loop: VirtualLoop, until: float) -> None:
    loop.call_at(until, lambda: None, context=loop.world)
    loop.run(lambda: loop.time() >= until)


def test_time_jumps_to_the_next_timer(loop: VirtualLoop) -> None:
    diary: list[float] = []
    begin(loop, Process("a"), diary)

    passes(loop, 35)

    assert diary == [10, 20, 30]


def test_a_dead_process_runs_no_further_step(loop: VirtualLoop) -> None:
    diary: list[float] = []
    process = Process("a")
    begin(loop, process, diary)
    loop.call_at(25, process.kill, context=loop.world)

    passes(loop, 100)

    assert diary == [10, 20]


def test_a_process_dies_in_place_of_its_nth_step(loop: VirtualLoop) -> None:
    diary: list[float] = []
    process = Process("a")
    begin(loop, process, diary)
    process.at_step[3] = process.kill

    passes(loop, 100)

    assert process.steps == 3
    assert diary == []


def test_a_paused_process_goes_on_where_it_was(loop: VirtualLoop) -> None:
    diary: list[float] = []
    process = Process("a")
    begin(loop, process, diary)

    def pause() -> None:
        process.is_paused = True

    loop.call_at(15, pause, context=loop.world)
    loop.call_at(77, loop.resume, process, context=loop.world)
    passes(loop, 90)

    assert diary == [10, 77, 87]


def test_one_process_dies_without_the_other(loop: VirtualLoop) -> None:
    first: list[float] = []
    second: list[float] = []
    process = Process("a")
    begin(loop, process, first)
    begin(loop, Process("b"), second)
    loop.call_at(15, process.kill, context=loop.world)

    passes(loop, 35)

    assert (first, second) == ([10], [10, 20, 30])


def test_what_spins_and_what_waits_for_ever_is_told(loop: VirtualLoop) -> None:
    with pytest.raises(NeverEnds, match="nothing is to come"):
        loop.run(lambda: False)

    async def spin() -> None:
        for _ in iter(int, 1):
            await asyncio.sleep(0)

    Process("a").context.run(loop.create_task, spin())
    with pytest.raises(NeverEnds, match="steps"):
        loop.run(lambda: False)


def test_what_the_dead_would_still_begin_is_no_task_of_another_loop(loop: VirtualLoop) -> None:
    """It would stay there, never begun, and be told at whichever test it is collected in."""

    async def farewell() -> None:
        raise AssertionError("a dead process took leave")

    begun: list[Coroutine[Any, Any, None]] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            begun.append(farewell())
            await asyncio.shield(begun[0])

    Process("a").context.run(loop.create_task, work())
    passes(loop, 10)
    with contextlib.closing(asyncio.new_event_loop()) as other:
        asyncio.set_event_loop(other)
        loop.dispose()
        asyncio.set_event_loop(None)

        assert not asyncio.all_tasks(other)
    assert [getcoroutinestate(coroutine) for coroutine in begun] == [CORO_CLOSED]
