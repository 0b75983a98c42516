"""`--limit`: who counts as one of the recipients that a run may try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from support.engine import Bench, FakeTransport, accepts

from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.transaction import TransactionResult


async def test_a_row_that_was_taken_over_behind_its_mark_counts(
    bench_of: Callable[[int], Awaitable[Bench]],
) -> None:
    """The simulation's seed 1226 once: a run of 32 that was paused past its lease sent 33."""
    bench = await bench_of(3)

    async def accepts_late(mail: MailObject, mark: Mark) -> TransactionResult:
        result = await accepts(mail, mark)
        await bench.ledger.recover(bench.campaign_id, resend=False, due_at=0.0, owner="me")
        return result

    server = FakeTransport("primary", accepts_late)

    result = await bench.send(server, limit=1, is_waiting=False)

    assert result.ending is Ending.LIMIT
    assert len(server.addresses) == 1
