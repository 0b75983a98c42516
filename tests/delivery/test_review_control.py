"""Waits that outlast what the loop knows of time, and brakes that are put on twice."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import SkippingClock

from bulkmail.delivery import control as module
from bulkmail.delivery.control import Control
from bulkmail.fate import Halt, Orders


async def test_a_wait_ends_soon_after_a_machine_that_slept_wakes_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GLANCE", 0.001)
    clock = SkippingClock()
    control = Control(clock)
    waiting = asyncio.create_task(control.news(clock.time() + 12 * 3600))
    await asyncio.sleep(0)

    clock.skip(12 * 3600)

    async with asyncio.timeout(30):
        await waiting


async def test_a_wait_is_no_shorter_for_its_glances_at_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GLANCE", 0.001)
    clock = SkippingClock()
    until = clock.time() + 0.05

    assert await Control(clock).pause(until)

    assert clock.time() >= until


async def test_a_stop_behind_a_pause_finds_a_block_that_is_being_left() -> None:
    control = Control(SkippingClock())
    left = asyncio.Event()

    async def lingers() -> None:
        async with control.until_stop():
            try:
                await asyncio.sleep(60)
            finally:
                await left.wait()

    lingering = asyncio.create_task(lingers())
    await asyncio.sleep(0)
    control.heed(Orders(halt=Halt.PAUSED))
    await asyncio.sleep(0.01)

    control.stop()
    left.set()

    with pytest.raises(TimeoutError):
        await lingering
