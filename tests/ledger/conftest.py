from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.ledger_book import Book, StoppedClock

from bulkmail.ledger import Ledger


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(params=["memory", "file"])
async def ledger(
    request: pytest.FixtureRequest, clock: StoppedClock, tmp_path: Path
) -> AsyncIterator[Ledger]:
    """The same contract for both: inline in memory, and a file behind its thread."""
    path = tmp_path / "home" / "ledger.db" if request.param == "file" else None
    opened = await Ledger.open(path, clock=clock, durability="process")
    yield opened
    await opened.close()


@pytest.fixture
def book(ledger: Ledger, clock: StoppedClock) -> Book:
    return Book(ledger, clock)
