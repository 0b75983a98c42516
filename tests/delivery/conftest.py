"""A campaign in memory, ready to be run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from support.engine import Bench, SkippingClock

from bulkmail.ledger import Ledger


@pytest.fixture
async def bench_of() -> AsyncIterator[Callable[[int], Awaitable[Bench]]]:
    clock = SkippingClock()
    ledger = await Ledger.open(None, clock=clock)

    async def make(rows: int) -> Bench:
        addresses = [f"u{n}@x.example" for n in range(1, rows + 1)]
        return await Bench.of(ledger, clock, *addresses)

    yield make
    await ledger.close()
