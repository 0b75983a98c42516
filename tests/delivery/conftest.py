"""A campaign in memory, ready to be run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from support.engine import Bench, SkippingClock

from bulkmail.ledger import Ledger, NewRow


@pytest.fixture
async def bench_of() -> AsyncIterator[Callable[[int], Awaitable[Bench]]]:
    clock = SkippingClock()
    ledger = await Ledger.open(None, clock=clock)

    async def make(rows: int) -> Bench:
        enrolment = await ledger.begin("c", path="campaigns/c.yaml", key_column="")
        await enrolment.add(
            [
                NewRow(
                    row=n,
                    key=f"u{n}@x.example",
                    address=f"u{n}@x.example",
                    domain="x.example",
                    fields={"email": f"u{n}@x.example"},
                    message_id=f"<{n}@x.example>",
                )
                for n in range(1, rows + 1)
            ]
        )
        await enrolment.complete(list_sha256="0")
        run = ledger.run(enrolment.campaign_id, owner="me")
        return Bench(ledger, run, enrolment.campaign_id, clock=clock)

    yield make
    await ledger.close()
