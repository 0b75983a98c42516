"""What a person orders while a run is under way: it is heeded within two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from support.engine import Bench, FakeTransport, accepts, refused_at_rcpt
from support.program import PATIENCE

from bulkmail.clock import SystemClock
from bulkmail.delivery import engine
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import CANCELLED, PAUSED, Ending
from bulkmail.delivery.ports import Mark
from bulkmail.fate import Delivery, Halt, Orders, State
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


@pytest.fixture(autouse=True)
def _attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ATTENTION", 0.01)


class Gate(FakeTransport):
    """Holds each message until all are let through."""

    def __init__(self) -> None:
        super().__init__("primary", self._hold)
        self.held = 0
        self.opened_wide = asyncio.Event()

    async def _hold(self, mail: MailObject, mark: Mark) -> TransactionResult:
        self.held += 1
        await self.opened_wide.wait()
        return await accepts(mail, mark)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)


def test_two_seconds_are_the_most_it_takes() -> None:
    assert engine.ATTENTION <= 2.0


async def test_a_paused_run_waits_and_goes_on_when_the_pause_is_lifted(bench_of: BenchOf) -> None:
    bench, server = await bench_of(40), Gate()
    orders = bench.ledger.orders(bench.campaign_id)
    run = asyncio.create_task(bench.send(server, connections=2))
    await until(lambda: server.held == 1)

    await orders.pause()
    await until(lambda: bench.control.halt is Halt.PAUSED)
    server.opened_wide.set()
    await until(lambda: PAUSED in bench.recorder.waits)
    sent, left = len(server.received), await bench.states()
    await orders.resume()
    result = await run

    assert sent == 1
    assert left == {"sent": 1, "pending": 39}
    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 40}


async def test_a_paused_run_holds_no_claims(bench_of: BenchOf) -> None:
    bench, server = await bench_of(20), FakeTransport("primary")
    orders = bench.ledger.orders(bench.campaign_id)
    await orders.pause()
    run = asyncio.create_task(bench.send(server))
    await until(lambda: PAUSED in bench.recorder.waits)
    await orders.resume()
    claimable = await bench.claimable()
    run.cancel()

    assert claimable == 20
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_paused_run_gives_back_what_waits_behind_a_slow_server(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, server = await bench_of(20), Gate()
    released: list[Delivery] = []
    release = bench.run.release

    async def remember(deliveries: Sequence[Delivery]) -> None:
        released.extend(deliveries)
        await release(deliveries)

    monkeypatch.setattr(bench.run, "release", remember)
    monkeypatch.setattr("bulkmail.delivery.lane.Lane.room", lambda lane, now: 5 - lane.in_hand)
    run = asyncio.create_task(bench.send(server, connections=1))
    await until(lambda: server.held == 1)

    await bench.ledger.orders(bench.campaign_id).pause()
    await until(lambda: len(released) == 4)
    server.opened_wide.set()
    bench.control.stop()

    assert (await run).ending is Ending.INTERRUPTED
    assert await bench.states() == {"sent": 1, "pending": 19}


async def test_a_paused_run_that_is_not_to_wait_leaves(bench_of: BenchOf) -> None:
    bench, server = await bench_of(5), FakeTransport("primary")
    await bench.ledger.orders(bench.campaign_id).pause()

    result = await bench.send(server, is_waiting=False)

    assert (result.ending, result.sentence) == (Ending.WAITING, PAUSED)
    assert not server.received


async def test_a_paused_run_under_a_limit_still_owes_its_second_tries(bench_of: BenchOf) -> None:
    async def greylists_once(mail: MailObject, mark: Mark) -> TransactionResult:
        address = mail.envelope.forward_paths[0]
        if address not in greylisted:
            greylisted.add(address)
            await bench.ledger.orders(bench.campaign_id).pause()
            return refused_at_rcpt(mail, 450, "4.2.0 greylisted")
        return await accepts(mail, mark)

    greylisted: set[str] = set()
    bench, server = await bench_of(5), FakeTransport("primary", greylists_once)
    run = asyncio.create_task(bench.send(server, limit=1))
    await until(lambda: PAUSED in bench.recorder.waits)
    await bench.ledger.orders(bench.campaign_id).resume()
    result = await run

    assert result.ending is Ending.LIMIT
    assert await bench.states() == {"sent": 1, "pending": 4}


async def test_a_second_try_that_cannot_be_claimed_for_a_pause_is_still_owed(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        await bench.ledger.orders(bench.campaign_id).pause()
        return refused_at_rcpt(mail, 450, "4.2.0 greylisted")

    monkeypatch.setattr(engine, "ATTENTION", 3600.0)
    bench, server = await bench_of(5), FakeTransport("primary", greylists)
    run = asyncio.create_task(bench.send(server, limit=1))
    await until(lambda: PAUSED in bench.recorder.waits or run.done())
    bench.control.stop()

    assert (await run).ending is Ending.INTERRUPTED
    assert await bench.states() == {"deferred": 1, "pending": 4}


async def test_a_stop_ends_a_paused_run(bench_of: BenchOf) -> None:
    bench, server = await bench_of(5), FakeTransport("primary")
    await bench.ledger.orders(bench.campaign_id).pause()
    run = asyncio.create_task(bench.send(server))
    await until(lambda: PAUSED in bench.recorder.waits)

    bench.control.stop()
    result = await run

    assert result.ending is Ending.INTERRUPTED


async def test_a_cancelled_run_finishes_what_is_on_the_wire_and_ends(bench_of: BenchOf) -> None:
    bench, server = await bench_of(40), Gate()
    run = asyncio.create_task(bench.send(server, connections=2))
    await until(lambda: server.held == 1)

    await bench.ledger.orders(bench.campaign_id).cancel()
    await until(lambda: bench.control.halt is Halt.CANCELLED)
    server.opened_wide.set()
    result = await run

    assert (result.ending, result.sentence) == (Ending.CANCELLED, CANCELLED)
    assert await bench.states() == {"sent": 1, "suppressed": 39}


async def test_a_run_ends_a_cancellation_that_has_only_been_said(bench_of: BenchOf) -> None:
    """The process that cancels a long list may be slower than the run, or be killed."""
    bench, server = await bench_of(40), Gate()
    run = asyncio.create_task(bench.send(server, connections=2))
    await until(lambda: server.held == 1)

    said = "UPDATE campaign SET halt = 'cancelled'"
    await bench.ledger._driver.submit(lambda db: db.execute(said))
    await until(lambda: bench.control.halt is Halt.CANCELLED)
    server.opened_wide.set()

    assert (await run).ending is Ending.CANCELLED
    assert await bench.states() == {"sent": 1, "suppressed": 39}


async def test_who_is_put_back_while_a_run_waits_is_sent_to_by_it(bench_of: BenchOf) -> None:
    refusing = True

    async def refuses(mail: MailObject, mark: Mark) -> TransactionResult:
        if mail.envelope.forward_paths[0] == "u1@x.example":
            return refused_at_rcpt(mail, 450, "4.2.0 later")
        if refusing:
            return refused_at_rcpt(mail, 552, "5.2.2 mailbox full")
        return await accepts(mail, mark)

    bench, server = await bench_of(3), FakeTransport("primary", refuses)
    bench.retry = type(bench.retry)(backoff=(3600.0,))
    run = asyncio.create_task(bench.send(server))
    await until(lambda: bool(bench.recorder.waits))
    refusing = False

    put_back = await bench.ledger.orders(bench.campaign_id).retry(State.FAILED)
    await until(lambda: len(server.received) == 2)
    bench.control.stop()
    await run

    assert put_back.count == 2
    assert await bench.states() == {"sent": 2, "deferred": 1}


async def test_a_halt_wakes_who_waits_for_a_slot_or_for_a_session() -> None:
    control = Control(SystemClock())
    far = SystemClock().time() + 3600

    async def acquire() -> bool:
        try:
            async with control.until_stop():
                await asyncio.Event().wait()
        except TimeoutError:
            return False
        return True

    slot, session = asyncio.create_task(control.pause(far)), asyncio.create_task(acquire())
    await asyncio.sleep(0)
    control.heed(Orders(halt=Halt.PAUSED))

    assert (await slot, await session, control.may_begin) == (False, False, False)
    control.heed(Orders())
    assert control.may_begin


async def test_lifting_a_halt_does_not_undo_a_stop() -> None:
    control = Control(SystemClock())
    control.heed(Orders(halt=Halt.PAUSED))
    control.stop()
    control.heed(Orders())

    assert not control.may_begin
