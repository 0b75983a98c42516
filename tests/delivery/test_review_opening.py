"""A server that takes its time to greet, at a pace so slow that no session outlasts it."""

from __future__ import annotations

import asyncio

import pytest
from support.engine import Bench, FakeSession, FakeTransport
from support.virtual import VirtualClock, virtually

from bulkmail.campaign.units import parse_rate
from bulkmail.delivery import turns
from bulkmail.delivery.ending import Ending
from bulkmail.ledger import Ledger


class SlowToGreet(FakeTransport):
    """Longer than the lead and what a slot is valid for, each time."""

    async def acquire(self) -> FakeSession:
        await asyncio.sleep(0.25)
        return await super().acquire()


def test_a_server_that_greets_late_is_asked_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_WAIT", 0.1)
    monkeypatch.setattr(turns, "LEAD", 0.05)

    async def story(clock: VirtualClock) -> None:
        ledger = await Ledger.open(None, clock=clock)
        bench = await Bench.of(ledger, clock, *(f"u{n}@x.example" for n in range(4)))
        server = SlowToGreet("primary")

        # A slot each half second, valid for 18 ms.
        async with asyncio.timeout(20):
            result = await bench.send(server, connections=1, rates=(parse_rate("2/s"),))

        assert result.ending is Ending.DONE
        assert len(server.received) == 4

    virtually(story)
