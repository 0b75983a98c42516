"""Where a command's work begins."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from bulkmail.cli import running


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """As it was, when the test is over."""
    was_enabled, thresholds = gc.isenabled(), gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    if was_enabled:
        gc.enable()


@pytest.mark.parametrize("is_fast", [False, True])
def test_garbage_is_looked_for_in_a_command_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, *, is_fast: bool
) -> None:
    monkeypatch.setattr(running, "_STARTED", 0)

    async def work() -> bool:
        while not gc.isenabled():
            await asyncio.sleep(0)
        return True

    gc.disable()

    assert running.run(asyncio.wait_for(work(), 10), is_fast=is_fast)
    assert gc.get_freeze_count() > 0


def test_a_command_that_has_ended_has_not_looked_for_any() -> None:
    async def work() -> bool:
        await asyncio.sleep(0)
        return gc.isenabled()

    gc.disable()

    assert running.run(work()) is False
