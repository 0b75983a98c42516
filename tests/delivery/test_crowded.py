"""A server that takes fewer connections than it may be given, seen from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.engine import Bench, FakeTransport

from bulkmail.delivery.ending import Ending
from bulkmail.errors import ConnectionLost
from bulkmail.smtp.stage import Stage

BenchOf = Callable[[int], Awaitable[Bench]]

TAKEN = 2


def crowded(reply: str) -> FakeTransport:
    """One that turns away whoever comes when two are there."""
    transport = FakeTransport("primary")

    def opening() -> None:
        if transport.in_use >= TAKEN:
            raise ConnectionLost(f"refused: {reply}", stage=Stage.GREETING, code=421, reply=reply)

    transport.opening = opening
    return transport


@pytest.mark.parametrize("reply", ["4.7.0 too many connections", "come back later"])
async def test_it_is_used_with_as_many_as_it_takes(bench_of: BenchOf, reply: str) -> None:
    bench = await bench_of(100)
    server = crowded(reply)

    result = await bench.send(server, connections=8)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 100}
    assert server.most_in_use == TAKEN
    # Each message has a session of its own here: the rest was turned away.
    assert server.opened - 100 < 30
    assert bench.recorder.server_news == []
    assert await bench.ledger.slowdowns() == []
