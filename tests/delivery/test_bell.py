"""A bell: who waits for it is woken once, by it or by time, and nothing is left behind."""

from __future__ import annotations

import asyncio
import math

import pytest

from bulkmail.delivery.bell import Bell


async def test_everybody_who_waits_is_woken() -> None:
    bell = Bell()
    waiting = [asyncio.create_task(bell.wait(None)) for _ in range(3)]
    await asyncio.sleep(0)

    bell.set()

    await asyncio.gather(*waiting)
    assert bell.is_set()


async def test_one_that_is_set_is_not_waited_for_and_a_cleared_one_is() -> None:
    bell = Bell()
    bell.set()
    await bell.wait(None)

    bell.clear()
    waiting = asyncio.create_task(bell.wait(None))
    await asyncio.sleep(0)

    assert not waiting.done()
    bell.set()
    await waiting


async def test_time_wakes_one_alone() -> None:
    bell = Bell()
    patient = asyncio.create_task(bell.wait(None))

    await bell.wait(0)

    assert not bell.is_set()
    assert not patient.done()
    bell.set()
    await patient


async def test_a_cancelled_wait_leaves_no_waiter_and_no_timer() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(3600))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert not bell._waiters
    assert all(
        timer.cancelled() or timer.when() == math.inf
        for timer in asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]  # asyncio's own list
        if timer.when() > asyncio.get_running_loop().time() + 3000
    )


async def test_one_that_is_rung_as_a_waiter_is_cancelled_is_no_error() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(None))
    await asyncio.sleep(0)

    waiting.cancel()
    bell.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
