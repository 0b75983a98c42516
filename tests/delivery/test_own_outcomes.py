"""A session that does not speak SMTP says itself what its try came to; the engine goes by it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable

import pytest
from support.engine import Bench, FakeTransport

from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark, Meanwhile
from bulkmail.fate import State
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.settings import RetrySettings
from bulkmail.smtp.reply import Reply

BenchOf = Callable[[int], Awaitable[Bench]]


class Step(enum.StrEnum):
    ANSWER = "answer"


class OtherSession:
    def __init__(self, transport: OtherTransport) -> None:
        self._transport = transport

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        meanwhile: Meanwhile | None = None,
    ) -> Outcome:
        await mark()
        await asyncio.sleep(0)
        self._transport.asked.append(mail.envelope.forward_paths[0])
        return self._transport.outcomes.pop(0) if self._transport.outcomes else TAKEN


class OtherTransport(FakeTransport):
    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__("gateway")
        self.outcomes = list(outcomes)
        self.asked: list[str] = []

    async def acquire(self) -> OtherSession:  # type: ignore[override]  # another kind of session
        return OtherSession(self)


TAKEN = Accepted(reply=Reply(2, ("taken",)), stage=Step.ANSWER, gateway_id="g-1")


def later(seconds: float) -> Outcome:
    return TransientFailure(
        blame=Blame.SERVER,
        stage=Step.ANSWER,
        reply=Reply(429, ("slow down",)),
        reason="slow down",
        is_counted=True,
        retry_after=seconds,
    )


async def test_its_own_id_and_step_are_on_record(bench_of: BenchOf) -> None:
    bench = await bench_of(1)

    result = await bench.send(OtherTransport(TAKEN))

    (row,) = [row async for row in bench.ledger.report(bench.campaign_id)]
    assert result.ending is Ending.DONE
    assert (row.state, row.gateway_id, row.code, row.stage) == (State.SENT, "g-1", 2, "answer")


async def test_a_doubt_is_a_doubt_at_its_own_step(bench_of: BenchOf) -> None:
    bench = await bench_of(1)
    # However slow the machine is, nobody is due again in this run.
    bench.retry = RetrySettings(backoff=(60.0,))

    await bench.send(OtherTransport(InDoubt(reason="silence", stage=Step.ANSWER)), is_waiting=False)

    ((_, attempt),) = bench.recorder.attempts
    assert (attempt.state, attempt.stage, attempt.is_doubt) == (State.IN_DOUBT, "answer", True)


async def test_an_account_that_is_refused_ends_its_use_and_nobody_fails(bench_of: BenchOf) -> None:
    bench = await bench_of(30)
    refused = PermanentFailure(
        blame=Blame.SERVER,
        stage=Step.ANSWER,
        reply=Reply(405, ("no such key",)),
        reason="no such key",
        ends_use=True,
    )
    transport = OtherTransport(refused)

    result = await bench.send(transport)

    assert result.ending is Ending.NO_SERVER
    assert result.sentence == f"{transport.name}: no such key"
    assert len(transport.asked) == 1
    assert await bench.states() == {"pending": 30}


@pytest.mark.parametrize("seconds", [30.0, 3600.0])
async def test_who_asks_to_be_left_alone_is(seconds: float, bench_of: BenchOf) -> None:
    bench = await bench_of(30)
    transport = OtherTransport(later(seconds))
    before = bench.clock.time()

    result = await bench.send(transport, is_waiting=False)

    assert result.ending is Ending.WAITING
    assert len(transport.asked) == 1
    assert result.until is not None
    assert result.until >= before + seconds
    ((_, attempt),) = bench.recorder.attempts
    assert attempt.state is State.DEFERRED
    assert attempt.due_at is not None
    assert attempt.due_at >= before + seconds
