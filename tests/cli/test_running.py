"""Where a command's work begins."""

from __future__ import annotations

import asyncio
import gc
import inspect
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
    begun = asyncio.Event()
    look_for_garbage = running._look_for_garbage

    def looking() -> None:
        look_for_garbage()
        begun.set()

    async def work() -> bool:
        await asyncio.wait_for(begun.wait(), 60)
        return gc.isenabled()

    monkeypatch.setattr(running, "_STARTED", 0)
    monkeypatch.setattr(running, "_look_for_garbage", looking)
    gc.disable()

    assert running.run(work(), is_fast=is_fast)
    assert gc.get_freeze_count() > 0


def test_a_command_that_has_ended_has_not_looked_for_any() -> None:
    async def work() -> bool:
        await asyncio.sleep(0)
        return gc.isenabled()

    gc.disable()

    assert running.run(work()) is False


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("is_fast", [False, True])
def test_work_that_a_signal_forestalled_is_let_go_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, *, is_fast: bool
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        raise AssertionError("it must not begin")

    monkeypatch.setattr(asyncio.Runner, "__enter__", interrupted)
    begun = work()

    with pytest.raises(KeyboardInterrupt):
        running.run(begun, is_fast=is_fast)
    assert inspect.getcoroutinestate(begun) == inspect.CORO_CLOSED
