"""What changes while the ledger is asked: an answer is of the moment at which it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.engine import Bench, FakeTransport

from bulkmail.delivery import gates, health
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.gates import Gate
from bulkmail.errors import ConnectionLost
from bulkmail.fate import Delivery
from bulkmail.ledger.run import CampaignRun
from bulkmail.settings import DomainLimit

BenchOf = Callable[[int], Awaitable[Bench]]
#: Of a message to somebody else, who has a cc in the group.
_OTHER = 999


async def test_no_run_is_done_by_what_was_so_before_somebody_was_given_back(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REST", 0.01)
    bench, server = await bench_of(1), FakeTransport("primary")
    given_back = asyncio.Event()
    ask, release = CampaignRun.next_due_at, CampaignRun.release

    async def asked(run: CampaignRun, scopes: Any = None) -> float | None:
        due_at = await ask(run, scopes)
        # Nobody waits: the one there is, is in hand. By the time this is heard that is not so.
        await given_back.wait()
        return due_at

    async def released(run: CampaignRun, deliveries: Any) -> None:
        await release(run, deliveries)
        given_back.set()

    def lost_at_first() -> None:
        if server.opened == 1:
            raise ConnectionLost("cut", stage="greeting")

    monkeypatch.setattr(CampaignRun, "next_due_at", asked)
    monkeypatch.setattr(CampaignRun, "release", released)
    server.opening = lost_at_first

    async with asyncio.timeout(50):
        result = await bench.send(server, connections=1)

    assert given_back.is_set()
    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 1}


async def test_rows_go_back_where_a_copy_came_into_their_group_while_they_were_claimed(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, server = await bench_of(3), FakeTransport("primary")
    group = frozenset({"x.example"})
    bench.limits = (DomainLimit(name="slow", domains=group, rates=(), connections=1),)
    made: list[Gate] = []
    given_back: list[int] = []
    claim, release = CampaignRun.claim, CampaignRun.release

    class Watched(Gate):
        def __init__(self, limit: DomainLimit) -> None:
            super().__init__(limit)
            made.append(self)

    async def claimed(run: CampaignRun, *how: Any) -> list[Delivery]:
        found = await claim(run, *how)
        if found and not given_back:
            made[0].enter(_OTHER)
        return found

    async def released(run: CampaignRun, deliveries: Any) -> None:
        given_back.extend(delivery.row for delivery in deliveries)
        made[0].leave(_OTHER)
        await release(run, deliveries)

    monkeypatch.setattr(gates, "Gate", Watched)
    monkeypatch.setattr(CampaignRun, "claim", claimed)
    monkeypatch.setattr(CampaignRun, "release", released)

    async with asyncio.timeout(50):
        await bench.send(server, connections=8)

    assert given_back == [1]
    assert await bench.states() == {"sent": 3}
    assert server.most_in_use == 1
