"""Rows that wait, and whose tries are used up: by a crash, or by a cap that was lowered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from support.engine import Bench, FakeTransport, refused_at_rcpt

from bulkmail.delivery.ports import Mark
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import RetrySettings
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_a_crash_on_the_last_try_leaves_the_doubt_to_a_person(bench_of: BenchOf) -> None:
    bench, server = await bench_of(1), FakeTransport("primary")
    dead = bench.ledger.run(bench.campaign_id, owner="dead")
    (delivery,) = await dead.claim(1)
    await dead.mark(delivery, bench.clock.time())
    await bench.ledger.recover(bench.campaign_id, resend=True, due_at=bench.clock.time())
    bench.retry = RetrySettings(backoff=(0.01,), attempts=1)

    await bench.send(server)

    assert server.received == []
    assert await bench.states() == {"in_doubt": 1}


async def test_a_cap_that_was_lowered_holds_for_who_waits(bench_of: BenchOf) -> None:
    async def busy(mail: MailObject, mark: Mark) -> TransactionResult:
        return refused_at_rcpt(mail, 450, "4.2.1 busy")

    bench, server = await bench_of(1), FakeTransport("primary", busy)
    bench.retry = RetrySettings(backoff=(60.0,))
    await bench.send(server, is_waiting=False)
    bench.clock.skip(3600)
    bench.retry = RetrySettings(attempts=1)
    tries = server.opened

    await bench.send(server)

    assert server.opened == tries
    assert await bench.states() == {"failed": 1}
