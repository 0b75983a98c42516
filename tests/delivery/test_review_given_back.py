"""A server's backlog goes back to the ledger: who hands out is told, also where nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from support.engine import Bench, FakeTransport

from bulkmail.delivery import health
from bulkmail.delivery.ending import Ending
from bulkmail.errors import ConnectionLost
from bulkmail.ledger.run import CampaignRun
from bulkmail.smtp.stage import Stage

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_a_run_whose_only_connection_is_refused_goes_on_with_what_was_given_back(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REST", 0.01)

    async def slow_down(*_facts: Any) -> SimpleNamespace:
        # Long enough for the dispatcher to look at what the worker has in hand, and to wait for it.
        for _ in range(20):
            await asyncio.sleep(0)
        return SimpleNamespace(until=0.0)

    monkeypatch.setattr(CampaignRun, "slow_down", slow_down)
    bench, server = await bench_of(10), FakeTransport("primary")

    def busy_at_first() -> None:
        if server.opened == 1:
            reply = "4.7.0 too many messages from you, slow down"
            raise ConnectionLost("421 busy", stage=Stage.GREETING.value, code=421, reply=reply)

    server.opening = busy_at_first

    # A run that is not told waits for ever.
    async with asyncio.timeout(50):
        result = await bench.send(server, connections=1)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 10}
