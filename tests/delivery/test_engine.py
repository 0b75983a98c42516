from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from support.engine import GO_ON, MAIL_OK, Bench, FakeTransport, accepted, accepts, refused_at_rcpt

from bulkmail.delivery import engine
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.health import RESTS_BEFORE_FIRST_SUCCESS
from bulkmail.delivery.ports import Mark
from bulkmail.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectFailed,
    ConnectionLost,
    Fault,
    MessageRefusedLocally,
)
from bulkmail.fate import Delivery, Orders, State
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import RetrySettings
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult

#: The default of `stop_after`.
REFUSED_IN_A_ROW = 25

BenchOf = Callable[[int], Awaitable[Bench]]


async def test_everybody_gets_one(bench_of: BenchOf) -> None:
    bench, server = await bench_of(100), FakeTransport("primary")

    result = await bench.send(server)

    assert result.ending is Ending.DONE
    assert sorted(server.addresses) == sorted(f"u{n}@x.example" for n in range(1, 101))
    assert await bench.states() == {"sent": 100}
    assert server.is_closed
    assert server.in_use == 0


async def test_a_ledger_that_does_not_answer_is_told(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, server = await bench_of(1), FakeTransport("primary")
    heed, is_told = bench.run.heed, asyncio.Event()

    async def heed_late() -> Orders:
        await is_told.wait()
        return await heed()

    def waiting(sentence: str, until: float | None) -> None:
        bench.recorder.waits.append(sentence)
        if "does not answer" in sentence:
            is_told.set()

    monkeypatch.setattr(engine, "SLOW", 0.0)
    monkeypatch.setattr(bench.run, "heed", heed_late)
    monkeypatch.setattr(bench.recorder, "waiting", waiting)

    result = await asyncio.wait_for(bench.send(server), 60)

    assert result.ending is Ending.DONE
    assert is_told.is_set()


async def test_never_more_at_once_than_connections(bench_of: BenchOf) -> None:
    bench, server = await bench_of(60), FakeTransport("primary")

    await bench.send(server, connections=3)

    assert server.most_in_use == 3


async def test_a_second_run_sends_nothing_again(bench_of: BenchOf) -> None:
    bench, server = await bench_of(10), FakeTransport("primary")
    await bench.send(server)

    again = await bench.send(server)

    assert again.ending is Ending.DONE
    assert len(server.received) == 10


async def test_refused_recipient_does_not_stop_the_others(bench_of: BenchOf) -> None:
    async def refuses_one(mail: MailObject, mark: Mark) -> TransactionResult:
        if mail.envelope.forward_paths[0] == "u3@x.example":
            return refused_at_rcpt(mail, 550, "5.1.1 no such user")
        return await accepts(mail, mark)

    bench, server = await bench_of(10), FakeTransport("primary", refuses_one)

    await bench.send(server)

    assert await bench.states() == {"sent": 9, "failed": 1}
    (failed,) = [a for _, a in bench.recorder.attempts if a.state is State.FAILED]
    assert (failed.stage, failed.code) == ("rcpt", 550)


async def test_deferred_is_tried_again_when_it_is_due(bench_of: BenchOf) -> None:
    seen: dict[str, int] = {}

    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        address = mail.envelope.forward_paths[0]
        seen[address] = seen.get(address, 0) + 1
        if seen[address] == 1:
            return refused_at_rcpt(mail, 450, "4.2.0 greylisted")
        return await accepts(mail, mark)

    bench, server = await bench_of(10), FakeTransport("primary", greylists)

    result = await bench.send(server)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 10}
    assert set(seen.values()) == {2}


async def test_without_waiting_deferred_is_left_for_later(bench_of: BenchOf) -> None:
    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        del mark
        return refused_at_rcpt(mail, 450, "4.2.0 greylisted")

    bench, server = await bench_of(5), FakeTransport("primary", greylists)
    bench.retry = RetrySettings(backoff=(600.0,))

    result = await bench.send(server, is_waiting=False)

    assert result.ending is Ending.WAITING
    assert result.until is not None
    assert result.until > time.time() + 500
    assert await bench.states() == {"deferred": 5}


async def test_limit_takes_so_many_and_leaves_the_rest_pending(bench_of: BenchOf) -> None:
    bench, server = await bench_of(50), FakeTransport("primary")

    result = await bench.send(server, limit=7)

    assert result.ending is Ending.LIMIT
    assert await bench.states() == {"sent": 7, "pending": 43}


async def test_a_lost_connection_after_the_dot_is_in_doubt_and_resent_once(
    bench_of: BenchOf,
) -> None:
    async def drops_after_the_dot(mail: MailObject, mark: Mark) -> TransactionResult:
        await mark()
        if mail.envelope.forward_paths[0] == "u2@x.example":
            raise ConnectionLost("cut", stage="end of data")
        return accepted(mail)

    bench, server = await bench_of(4), FakeTransport("primary", drops_after_the_dot)

    result = await bench.send(server)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 3, "in_doubt": 1}
    doubts = [d for d, a in bench.recorder.attempts if a.is_doubt]
    assert [d.address for d in doubts] == ["u2@x.example"] * 2
    assert len({d.message_id for d in doubts}) == 1


async def test_on_doubt_hold_does_not_resend(bench_of: BenchOf) -> None:
    async def drops_after_the_dot(mail: MailObject, mark: Mark) -> TransactionResult:
        del mail
        await mark()
        raise ConnectionLost("cut", stage="end of data")

    bench, server = await bench_of(2), FakeTransport("primary", drops_after_the_dot)
    bench.retry = RetrySettings(backoff=(0.01,), resend_on_doubt=False)

    await bench.send(server)

    assert await bench.states() == {"in_doubt": 2}
    assert len(bench.recorder.attempts) == 2


async def test_a_refused_login_is_tried_once_and_leaves_everybody_pending(
    bench_of: BenchOf,
) -> None:
    def refuses_login() -> None:
        raise AuthenticationFailed("535 no", hint="an app password", stage="auth", code=535)

    bench, server = await bench_of(50), FakeTransport("primary")
    server.opening = refuses_login

    result = await bench.send(server, connections=8)

    assert result.ending is Ending.NO_SERVER
    assert result.hint == "an app password"
    assert server.opened == 1
    assert await bench.states() == {"pending": 50}


async def test_an_unreachable_server_is_given_up_with_everybody_pending(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise ConnectFailed("connection refused", stage="connect")

    monkeypatch.setattr("bulkmail.delivery.health.FIRST_REST", 0.01)
    bench, server = await bench_of(20), FakeTransport("primary")
    server.opening = unreachable

    result = await bench.send(server)

    assert result.ending is Ending.NO_SERVER
    assert "connection refused" in result.sentence
    assert server.opened == RESTS_BEFORE_FIRST_SUCCESS
    assert await bench.states() == {"pending": 20}


async def test_the_next_server_takes_over(bench_of: BenchOf) -> None:
    def refuses_login() -> None:
        raise AuthenticationFailed("535 no", stage="auth", code=535)

    bench = await bench_of(30)
    first, second = FakeTransport("primary"), FakeTransport("backup")
    first.opening = refuses_login

    result = await bench.send(first, second)

    assert result.ending is Ending.DONE
    assert len(second.received) == 30


async def test_the_second_server_is_not_used_while_the_first_does(bench_of: BenchOf) -> None:
    bench = await bench_of(60)
    first, second = FakeTransport("primary"), FakeTransport("backup")

    await bench.send(first, second, connections=2)

    assert len(first.received) == 60
    assert second.opened == 0


async def test_weights_share_the_list(bench_of: BenchOf) -> None:
    bench = await bench_of(400)
    first, second = FakeTransport("a"), FakeTransport("b")

    engine = bench.engine(first, second, weight=1)
    await engine.run()

    assert len(first.received) + len(second.received) == 400
    assert 100 < len(first.received) < 300


async def test_mail_refused_for_everybody_stops_with_all_pending(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses_mail(mail: MailObject, mark: Mark) -> TransactionResult:
        del mail, mark
        return TransactionResult(mail=Reply(550, ("5.7.1 you may not send",)))

    monkeypatch.setattr("bulkmail.delivery.health.FIRST_REST", 0.01)
    bench, server = await bench_of(20), FakeTransport("primary", refuses_mail)

    result = await bench.send(server)

    assert result.ending is Ending.NO_SERVER
    assert "5.7.1 you may not send" in result.sentence
    assert await bench.states() == {"pending": 20}


async def test_a_spam_verdict_in_a_row_stops_before_the_list_is_burnt(bench_of: BenchOf) -> None:
    async def refuses_content(mail: MailObject, mark: Mark) -> TransactionResult:
        await mark()
        ok = dict.fromkeys(mail.envelope.forward_paths, MAIL_OK)
        spam = Reply(554, ("5.7.1 looks like spam",))
        return TransactionResult(mail=MAIL_OK, recipients=ok, data=GO_ON, end_of_data=spam)

    bench, server = await bench_of(100), FakeTransport("primary", refuses_content)

    result = await bench.send(server, connections=1)

    assert result.ending is Ending.NO_SERVER
    assert await bench.states() == {
        "failed": REFUSED_IN_A_ROW,
        "pending": 100 - REFUSED_IN_A_ROW,
    }


async def test_a_message_too_large_for_the_server_fails_its_row_alone(bench_of: BenchOf) -> None:
    async def too_large(mail: MailObject, mark: Mark) -> TransactionResult:
        if mail.envelope.forward_paths[0] == "u1@x.example":
            raise MessageRefusedLocally("larger than SIZE")
        return await accepts(mail, mark)

    bench, server = await bench_of(3), FakeTransport("primary", too_large)

    await bench.send(server)

    assert await bench.states() == {"sent": 2, "failed": 1}


async def test_a_row_that_cannot_be_composed_fails_with_its_reason(bench_of: BenchOf) -> None:
    bench, server = await bench_of(3), FakeTransport("primary")
    compose = bench.compose

    async def vanished(delivery: Delivery, instant: datetime) -> MailObject:
        if delivery.row == 2:
            raise ConfigurationError(Fault(message="letters/2.pdf does not exist", row=2))
        return await compose(delivery, instant)

    bench.compose = vanished

    await bench.send(server)

    assert await bench.states() == {"sent": 2, "failed": 1}
    (failed,) = [a for _, a in bench.recorder.attempts if a.state is State.FAILED]
    assert failed.reason == "letters/2.pdf does not exist"


async def test_stop_finishes_what_is_on_the_wire_and_gives_the_rest_back(
    bench_of: BenchOf,
) -> None:
    on_the_wire = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(mail: MailObject, mark: Mark) -> TransactionResult:
        on_the_wire.set()
        await go_on.wait()
        return await accepts(mail, mark)

    bench, server = await bench_of(20), FakeTransport("primary", slow)
    run = asyncio.create_task(bench.send(server))
    await on_the_wire.wait()
    bench.control.stop()
    go_on.set()

    result = await run

    assert result.ending is Ending.INTERRUPTED
    assert await bench.states() == {"sent": 1, "pending": 19}
    assert await bench.claimable() == 19


async def test_cancelled_past_the_mark_is_recorded_as_in_doubt(bench_of: BenchOf) -> None:
    past_the_mark = asyncio.Event()

    async def hangs(mail: MailObject, mark: Mark) -> TransactionResult:
        await mark()
        past_the_mark.set()
        await asyncio.Event().wait()
        return accepted(mail)

    bench, server = await bench_of(5), FakeTransport("primary", hangs)
    run = asyncio.create_task(bench.send(server))
    await past_the_mark.wait()
    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run

    assert await bench.states() == {"in_doubt": 1, "pending": 4}


async def test_cancelled_while_it_closes_it_ends_with_all_that_closes(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, servers = await bench_of(1), [FakeTransport("primary"), FakeTransport("backup")]
    begun = asyncio.Event()
    ended: list[object] = []

    async def close() -> None:
        if ended:
            return
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(asyncio.current_task())

    for server in servers:
        monkeypatch.setattr(server, "close", close)
    run = asyncio.create_task(bench.send(*servers))
    await begun.wait()
    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run

    assert len(ended) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await bench.states() == {"sent": 1}


async def test_a_claim_that_was_taken_over_is_not_sent(bench_of: BenchOf) -> None:
    bench, server = await bench_of(1), FakeTransport("primary")
    compose = bench.compose

    async def paused_past_the_lease(delivery: Delivery, instant: datetime) -> MailObject:
        await bench.take_over()
        return await compose(delivery, instant)

    bench.compose = paused_past_the_lease

    await bench.send(server, is_waiting=False)

    assert not server.received
    assert not bench.recorder.attempts


async def test_outside_the_window_nothing_is_sent(bench_of: BenchOf) -> None:
    bench, server = await bench_of(3), FakeTransport("primary")
    opens = time.time() + 3600
    bench.shut_until = lambda now: opens

    result = await bench.send(server, is_waiting=False)

    assert (result.ending, result.until) == (Ending.WAITING, opens)
    assert not server.received


async def test_a_shut_window_keeps_nobody_back_who_has_a_letter(bench_of: BenchOf) -> None:
    bench, server = await bench_of(3), FakeTransport("primary")
    await bench.send(server)
    bench.shut_until = lambda now: now + 3600

    result = await bench.send(server, is_waiting=False)

    assert result.ending is Ending.DONE


async def test_a_window_that_shuts_behind_the_last_of_a_limit_ends_the_run(
    bench_of: BenchOf,
) -> None:
    bench, server = await bench_of(5), FakeTransport("primary")
    bench.shut_until = lambda now: now + 3600 if len(server.received) == 2 else None

    result = await bench.send(server, limit=2, is_waiting=False)

    assert result.ending is Ending.LIMIT
    assert await bench.states() == {"sent": 2, "pending": 3}


async def test_a_row_past_its_time_is_failed_without_a_try(bench_of: BenchOf) -> None:
    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        del mark
        return refused_at_rcpt(mail, 450, "4.2.0 greylisted")

    bench, server = await bench_of(1), FakeTransport("primary", greylists)
    bench.retry = RetrySettings(backoff=(0.2,), give_up_after=0.25)
    await bench.send(server, is_waiting=False)
    bench.clock.skip(1)

    await bench.send(server, is_waiting=False)

    assert await bench.states() == {"failed": 1}
    assert "given up" in bench.recorder.attempts[-1][1].reason


async def test_a_server_given_up_behind_the_last_recipient_is_no_reason_to_stop(
    bench_of: BenchOf,
) -> None:
    async def refuses_content(mail: MailObject, mark: Mark) -> TransactionResult:
        await mark()
        ok = dict.fromkeys(mail.envelope.forward_paths, MAIL_OK)
        spam = Reply(554, ("5.7.1 looks like spam",))
        return TransactionResult(mail=MAIL_OK, recipients=ok, data=GO_ON, end_of_data=spam)

    bench = await bench_of(REFUSED_IN_A_ROW)

    result = await bench.send(FakeTransport("primary", refuses_content), connections=1)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"failed": REFUSED_IN_A_ROW}


async def test_without_waiting_a_dead_server_is_no_news_to_those_who_are_not_due(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cuts_at_rcpt(mail: MailObject, mark: Mark) -> TransactionResult:
        del mail, mark
        raise ConnectionLost("cut", stage="rcpt")

    monkeypatch.setattr("bulkmail.delivery.health.FIRST_REST", 0.01)
    bench = await bench_of(9)
    bench.retry = RetrySettings(backoff=(600.0,))

    result = await bench.send(FakeTransport("primary", cuts_at_rcpt), is_waiting=False)

    assert result.ending is Ending.WAITING
    assert await bench.states() == {"deferred": 9}
