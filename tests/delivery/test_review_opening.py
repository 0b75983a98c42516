"""A server that takes its time to greet, at a pace so slow that no session outlasts it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.engine import Bench, FakeSession, FakeTransport

from bulkmail.campaign.units import parse_rate
from bulkmail.delivery import turns
from bulkmail.delivery.ending import Ending

BenchOf = Callable[[int], Awaitable[Bench]]


class SlowToGreet(FakeTransport):
    """Longer than the lead and what a slot is valid for, each time."""

    async def acquire(self) -> FakeSession:
        await asyncio.sleep(0.25)
        return await super().acquire()


async def test_a_server_that_greets_late_is_asked_earlier(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONG_WAIT", 0.1)
    monkeypatch.setattr(turns, "LEAD", 0.05)
    bench, server = await bench_of(4), SlowToGreet("primary")

    async with asyncio.timeout(20):
        # A slot each half second, valid for 18 ms.
        result = await bench.send(server, connections=1, rates=(parse_rate("2/s"),))

    assert result.ending is Ending.DONE
    assert len(server.received) == 4
