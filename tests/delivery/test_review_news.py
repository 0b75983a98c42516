"""What is told of a server: once that it is down, once that it is back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.engine import Bench, FakeTransport, accepts

from bulkmail.delivery import health
from bulkmail.delivery.ports import Mark
from bulkmail.errors import ConnectionLost
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_a_server_that_comes_back_is_said_to_be_back_and_nothing_is_said_twice(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REST", 0.01)
    taken = 0

    async def breaks_in_the_middle(mail: MailObject, mark: Mark) -> TransactionResult:
        nonlocal taken
        taken += 1
        if 20 < taken <= 40:
            raise ConnectionLost("cut", stage="mail")
        return await accepts(mail, mark)

    bench = await bench_of(60)

    await bench.send(FakeTransport("primary", breaks_in_the_middle), connections=8)

    assert await bench.states() == {"sent": 60}
    assert bench.recorder.server_news == [("primary", "cut"), ("primary", "")]
