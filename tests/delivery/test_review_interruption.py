"""What is known is written down, and what is asked to stop stops, whatever the moment."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from support.engine import Bench, FakeTransport, accepts, refused_at_rcpt

from bulkmail.campaign.units import parse_rate
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.errors import LedgerError
from bulkmail.fate import Attempt, Delivery, Digests
from bulkmail.ledger import CampaignRun
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


class SlowDisk:
    """A run's ledger whose commits take until the test lets them through."""

    def __init__(self, run: CampaignRun, slow_marks_from_row: int) -> None:
        self.run = run
        self._slow_marks_from_row = slow_marks_from_row
        self.commits = asyncio.Event()
        self.claim: Callable[..., Awaitable[list[Delivery]]] = run.claim
        self.release = run.release
        self.next_due_at = run.next_due_at
        self.heed = run.heed
        self.renew = run.renew
        self.take = run.take
        self.divide = run.divide
        self.slowdowns = run.slowdowns

    async def mark(
        self,
        delivery: Delivery,
        started_at: float,
        digests: Digests | None = None,
        *,
        may_wait: bool = False,
    ) -> bool:
        is_ours = await self.run.mark(delivery, started_at, digests, may_wait=may_wait)
        if delivery.row >= self._slow_marks_from_row:
            await self.commits.wait()
        return is_ours

    async def record_all(
        self, attempts: Sequence[Attempt], *, may_wait: bool = False
    ) -> list[bool]:
        are_ours = await self.run.record_all(attempts, may_wait=may_wait)
        await self.commits.wait()
        return are_ours


def on_a_slow_disk(bench: Bench, slow_marks_from_row: int = 1000) -> SlowDisk:
    disk = SlowDisk(bench.run, slow_marks_from_row)
    bench.run = disk  # type: ignore[assignment]  # it has what the engine needs of one
    return disk


async def cut(run: asyncio.Task[object], disk: SlowDisk) -> None:
    await settled()
    run.cancel()
    await settled()
    disk.commits.set()
    with pytest.raises(asyncio.CancelledError):
        await run


async def settled() -> None:
    """Let everybody come to where they wait."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_an_acceptance_is_written_though_the_run_is_cut_before_it_is_recorded(
    bench_of: BenchOf,
) -> None:
    bench, server = await bench_of(2), FakeTransport("primary")
    disk = on_a_slow_disk(bench)
    run = asyncio.create_task(bench.send(server, connections=1))

    await cut(run, disk)

    assert len(server.received) == 2
    assert await bench.states() == {"sent": 2}


async def test_a_refusal_is_no_doubt_though_the_run_is_cut_before_its_mark_is_durable(
    bench_of: BenchOf,
) -> None:
    async def refuses_the_second(mail: MailObject, mark: Mark) -> TransactionResult:
        if mail.envelope.forward_paths[0] == "u2@x.example":
            return refused_at_rcpt(mail, 550, "5.1.1 no such user")
        return await accepts(mail, mark)

    bench = await bench_of(2)
    disk = on_a_slow_disk(bench, slow_marks_from_row=2)
    run = asyncio.create_task(
        bench.send(FakeTransport("primary", refuses_the_second), connections=1)
    )

    await cut(run, disk)

    assert await bench.states() == {"sent": 1, "failed": 1}


async def test_a_stop_does_not_wait_for_the_slots_of_a_slow_pace(bench_of: BenchOf) -> None:
    bench, server = await bench_of(20), FakeTransport("primary")
    run = asyncio.create_task(bench.send(server, connections=4, rates=(parse_rate("1/min"),)))
    await settled()

    bench.control.stop()
    async with asyncio.timeout(30):
        result = await run

    assert result.ending is Ending.INTERRUPTED
    assert await bench.states() == {"sent": 1, "pending": 19}
    assert await bench.claimable() == 19


async def test_a_failed_write_ends_the_run_though_nobody_waits_behind_it(
    bench_of: BenchOf,
) -> None:
    bench = await bench_of(1)
    disk = on_a_slow_disk(bench)

    async def fails(attempts: Sequence[Attempt], *, may_wait: bool = False) -> list[bool]:
        del attempts, may_wait
        await asyncio.sleep(0)
        raise LedgerError("the disk is full")

    disk.record_all = fails  # type: ignore[method-assign]  # a disk that fails

    async with asyncio.timeout(30):
        with pytest.raises(LedgerError):
            await bench.send(FakeTransport("primary"))


async def test_a_row_given_back_behind_an_empty_claim_is_not_taken_for_one_that_waits(
    bench_of: BenchOf,
) -> None:
    bench, server = await bench_of(1), FakeTransport("primary")
    disk = on_a_slow_disk(bench)
    disk.commits.set()
    claims = 0

    async def finds_nobody_at_first(limit: int, *which: Any) -> list[Delivery]:
        nonlocal claims
        claims += 1
        return [] if claims == 1 else await disk.run.claim(limit, *which)

    disk.claim = finds_nobody_at_first

    result = await bench.send(server, is_waiting=False)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 1}


async def test_a_disk_that_fails_under_every_worker_is_told_once(
    bench_of: BenchOf, caplog: pytest.LogCaptureFixture
) -> None:
    bench = await bench_of(40)
    disk = on_a_slow_disk(bench)
    marks = 0

    async def fails(
        delivery: Delivery,
        started_at: float,
        digests: Digests | None = None,
        *,
        may_wait: bool = False,
    ) -> bool:
        nonlocal marks
        marks += 1
        if marks > 20:
            await asyncio.sleep(0)
            raise LedgerError("the disk is full")
        return await disk.run.mark(delivery, started_at, digests, may_wait=may_wait)

    async def keeps_some_waiting(mail: MailObject, mark: Mark) -> TransactionResult:
        if marks > 20 and marks % 2:
            await asyncio.sleep(60)
        return await accepts(mail, mark)

    disk.mark = fails  # type: ignore[method-assign]  # a disk that fails
    disk.commits.set()

    with pytest.raises(LedgerError):
        await bench.send(FakeTransport("primary", keeps_some_waiting), connections=8)
    gc.collect()

    assert [record for record in caplog.records if record.name == "asyncio"] == []
