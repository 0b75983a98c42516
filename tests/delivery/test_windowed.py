"""Several messages on their way at once, as a worker gives them to a session that takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from support.engine import (
    Bench,
    FakeSession,
    FakeTransport,
    accepted,
    compose,
    refused_at_rcpt,
)

from bulkmail.campaign.units import Rate
from bulkmail.delivery.supply import AHEAD_OCTETS
from bulkmail.delivery.windowed import LADEN_OCTETS
from bulkmail.errors import ConnectionLost, MessageRefusedLocally
from bulkmail.fate import Delivery, Digests
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


class WindowSession(FakeSession):
    """Takes whole messages; answers the oldest when it is asked."""

    def __init__(self, transport: WindowTransport) -> None:
        super().__init__(transport)
        self._ends = transport
        self._out: deque[MailObject] = deque()

    @property
    def window(self) -> int:
        return 0 if self._ends.is_over else self._ends.depth

    async def flush(self) -> None:
        pass

    def prepare(self, mail: MailObject) -> None:
        self._ends.prepared.append(mail.envelope.forward_paths[0])

    async def leave(self) -> None:
        if not self._ends.is_over:
            self._ends.left_with.append(len(self._out))
            self._ends.is_over = True

    #: All that is posted is out.
    unsent = 0

    @property
    def is_in_question(self) -> bool:
        return self._ends.is_in_question

    async def catch_up(self) -> None:
        self._ends.caught_up += 1

    async def post(self, mail: MailObject, *, check: Callable[[], None] | None = None) -> None:
        if check is not None:
            check()
        if mail.envelope.forward_paths[0] in self._ends.untakeable:
            raise MessageRefusedLocally("too large")
        self._out.append(mail)
        self._ends.posted_here += 1
        self._ends.most_here = max(self._ends.most_here, self._ends.posted_here)
        self._ends.posted.append(mail.envelope.forward_paths[0])
        self._ends.most = max(self._ends.most, len(self._out))

    @property
    def is_answered(self) -> bool:
        return self._ends.answers_at_once

    def accepted(self) -> list[Reply]:
        taken = [self._out.popleft() for _ in range(min(self._ends.taken, len(self._out)))]
        self._ends.taken -= len(taken)
        self._ends.received += taken
        return [Reply(250, (f"taken as {mail.message_id}",)) for mail in taken]

    async def settle(self) -> TransactionResult:
        mail = self._out.popleft()
        await asyncio.sleep(0)
        result = await self._ends.answer(mail)
        if result.is_accepted:
            self._ends.received.append(mail)
        return result


class WindowTransport(FakeTransport):
    def __init__(self, depth: int = 4) -> None:
        super().__init__("primary")
        self.depth = depth
        self.posted: list[str] = []
        self.spent: list[object] = []
        self.caught_up = 0
        self.posted_here = 0
        self.most_here = 0
        self.limit = 1000
        self.prepared: list[str] = []
        #: How many were on their way as a session was left.
        self.left_with: list[int] = []
        self.untakeable: set[str] = set()
        self.most = 0
        self.is_over = False
        self.answers_at_once = False
        #: Of the oldest so many are plainly accepted, as is known.
        self.taken = 0
        self.is_in_question = False
        self.answer: Callable[[MailObject], Awaitable[TransactionResult]] = takes

    async def acquire(self) -> WindowSession:
        await super().acquire()
        self.is_over = False
        self.posted_here = 0
        return WindowSession(self)

    def followed(self, session: object) -> None:
        return None

    def is_free(self, session: object) -> bool:
        return isinstance(session, FakeSession)

    def windowed(self, session: object) -> WindowSession:
        assert isinstance(session, WindowSession)
        return session

    def spend(self, session: object) -> None:
        self.spent.append(session)

    def keeps(self, session: object, besides: int = 0) -> bool:
        return session not in self.spent and self.posted_here + besides < self.limit


async def takes(mail: MailObject) -> TransactionResult:
    return accepted(mail)


@pytest.fixture
def transport() -> WindowTransport:
    return WindowTransport()


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_window_is_filled_and_never_passed(
    bench_of: BenchOf, transport: WindowTransport, at_once: bool
) -> None:
    transport.answers_at_once = at_once
    bench = await bench_of(60)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 60}
    assert len(transport.received) == len(set(transport.addresses)) == 60
    assert transport.most == 4
    assert transport.in_use == 0


async def test_what_needs_no_mark_is_done_while_marks_are_made_durable(
    bench_of: BenchOf, transport: WindowTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_of(20)
    ask = bench.run.mark_all

    async def slowly(
        asked: Sequence[tuple[Delivery, float, Digests | None]],
    ) -> Sequence[bool]:
        posted = len(transport.posted)
        await asyncio.sleep(0)
        assert len(transport.posted) == posted
        return await ask(asked)

    monkeypatch.setattr(bench.run, "mark_all", slowly)
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    # In the order in which they go.
    assert transport.prepared == transport.posted
    assert len(transport.posted) == 20


async def test_no_more_are_handed_over_than_a_connection_may_take(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    transport.limit = 3
    bench = await bench_of(30)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 30}
    assert transport.most_here == 3


async def test_a_session_that_may_have_no_more_is_left_behind_its_last_messages(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    transport.limit = 6
    bench = await bench_of(20)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    assert len(transport.received) == len(set(transport.addresses)) == 20
    # The fourth has two, and may have more. Of the others as many are on their way as ever.
    assert transport.left_with == [4, 4, 4]
    assert transport.in_use == 0


async def test_no_more_rows_are_marked_than_the_window_has_room_for(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(40)
    most = 0

    async def looks(mail: MailObject) -> TransactionResult:
        nonlocal most
        most = max(most, (await bench.states()).get("sending", 0))
        return accepted(mail)

    transport.answer = looks
    await bench.send(transport, connections=1)

    assert most == 4


async def test_what_is_lost_is_in_doubt_and_who_was_not_begun_is_sent_to(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(30)
    bench.retry = type(bench.retry)(backoff=(0.01,), resend_on_doubt=False)
    seen: list[str] = []

    async def breaks_once(mail: MailObject) -> TransactionResult:
        seen.append(mail.envelope.forward_paths[0])
        if 12 <= len(seen) <= 15:
            transport.is_over = True
            stage = Stage.END_OF_DATA if len(seen) <= 13 else Stage.MAIL
            raise ConnectionLost("lost", stage=stage)
        return accepted(mail)

    transport.answer = breaks_once
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 28, "in_doubt": 2}
    assert transport.opened == 2
    assert {a.state for _, a in bench.recorder.attempts} == {"sent", "in_doubt"}


async def test_who_was_in_doubt_is_sent_to_again_alone(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(30)
    lost: list[str] = []

    async def breaks_on_the_fifth(mail: MailObject) -> TransactionResult:
        address = mail.envelope.forward_paths[0]
        if address == "u5@x.example" or transport.is_over:
            transport.is_over = True
            lost.append(address)
            raise ConnectionLost("lost", stage=Stage.END_OF_DATA)
        return accepted(mail)

    transport.answer = breaks_on_the_fifth
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 30}
    assert 2 <= len(lost) <= 4
    assert len(transport.posted) == len(set(transport.posted))


async def test_behind_a_421_all_are_given_back_and_only_who_heard_it_first_is_not_deferred(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(20)
    seen = 0

    async def has_enough(mail: MailObject) -> TransactionResult:
        nonlocal seen
        seen += 1
        if seen == 10:
            transport.is_over = True
            return TransactionResult(mail=Reply(421, ("4.7.0 enough",)))
        if transport.is_over:
            raise ConnectionLost("closed", stage=Stage.MAIL)
        return accepted(mail)

    transport.answer = has_enough
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    assert {a.state for _, a in bench.recorder.attempts} == {"sent"}


@pytest.mark.parametrize("stage", ["mail", "rcpt"])
async def test_a_session_whose_server_will_take_no_more_on_it_is_given_no_more(
    bench_of: BenchOf, transport: WindowTransport, stage: str
) -> None:
    bench = await bench_of(20)

    async def has_enough(mail: MailObject) -> TransactionResult:
        if len(transport.received) == 10 and transport.opened == 1:
            refusal = Reply(450, ("4.7.0 too many messages in this session",))
            if stage == "mail":
                return TransactionResult(mail=refusal)
            (path,) = mail.envelope.forward_paths
            return TransactionResult(mail=Reply(250, ("ok",)), recipients={path: refusal})
        return accepted(mail)

    transport.answer = has_enough
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    assert len(transport.posted) <= 20 + transport.depth
    assert len(set(map(id, transport.spent))) == 1
    assert transport.opened >= 2


async def test_a_refused_recipient_is_refused_and_no_other(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(20)

    async def knows_not_five(mail: MailObject) -> TransactionResult:
        if mail.envelope.forward_paths[0] == "u5@x.example":
            return refused_at_rcpt(mail, 550, "5.1.1 no such user")
        return accepted(mail)

    transport.answer = knows_not_five
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 19, "failed": 1}


async def test_a_refusal_that_may_be_of_the_way_it_went_is_held_against_nobody(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(3)
    refusals: list[str] = []

    async def refuses_at_first(mail: MailObject) -> TransactionResult:
        transport.is_in_question = len(refusals) < 2
        if not transport.is_in_question:
            return accepted(mail)
        refusals.append(mail.envelope.forward_paths[0])
        return replace(accepted(mail), end_of_data=Reply(550, ("5.7.1 not wanted",)))

    transport.answer = refuses_at_first
    await bench.send(transport, connections=1)

    assert len(refusals) == 2
    assert await bench.states() == {"sent": 3}


async def test_a_message_the_server_cannot_take_fails_alone(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(10)
    transport.untakeable = {"u7@x.example"}

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 9, "failed": 1}


async def test_who_is_suppressed_meanwhile_is_not_handed_over(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(10)
    suppressed = False

    async def suppresses(mail: MailObject) -> TransactionResult:
        nonlocal suppressed
        if not suppressed:
            suppressed = True
            await bench.ledger.suppression().add(["u10@x.example"], "asked")
        return accepted(mail)

    transport.answer = suppresses
    await bench.send(transport, connections=1)

    assert "u10@x.example" not in transport.posted
    assert await bench.states() == {"sent": 9, "suppressed": 1}


async def test_a_stop_waits_for_what_is_on_its_way_and_hands_over_nothing_more(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(40)

    async def stops(mail: MailObject) -> TransactionResult:
        if len(transport.received) == 9:
            bench.control.stop()
        return accepted(mail)

    transport.answer = stops
    await bench.send(transport, connections=1)

    states = await bench.states()
    assert states["sent"] == len(transport.posted) < 40
    assert states["pending"] == 40 - states["sent"]
    assert await bench.claimable() == states["pending"]


async def test_a_cut_leaves_what_was_handed_over_in_doubt_and_nothing_else(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(30)
    reached = asyncio.Event()

    async def hangs(mail: MailObject) -> TransactionResult:
        if len(transport.received) == 8:
            reached.set()
            await asyncio.Event().wait()
        return accepted(mail)

    transport.answer = hangs
    running = asyncio.create_task(bench.send(transport, connections=1))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    states = await bench.states()
    assert states["sent"] == 8
    assert states["in_doubt"] == len(transport.posted) - 8 <= 4
    assert states["pending"] == 30 - len(transport.posted)


async def test_under_a_limit_one_message_waits_for_the_other(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(3)
    settings: dict[str, Any] = {"rates": (Rate(50, 1.0),)}

    await bench.send(transport, connections=1, **settings)

    assert transport.posted == []
    assert await bench.states() == {"sent": 3}


async def test_a_cut_while_what_stands_before_a_refused_one_leaves_takes_back_its_mark(
    bench_of: BenchOf, transport: WindowTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await bench_of(6)
    transport.untakeable = {"u2@x.example"}
    reached = asyncio.Event()

    async def hangs(_session: WindowSession) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(WindowSession, "flush", hangs)
    running = asyncio.create_task(bench.send(transport, connections=1))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    states = await bench.states()
    assert states == {"in_doubt": len(transport.posted), "pending": 6 - len(transport.posted)}


async def test_who_goes_next_is_composed_while_the_server_answers(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(60)
    composed: list[str] = []
    ahead: list[int] = []

    async def compose_and_note(delivery: Delivery, instant: datetime) -> MailObject:
        composed.append(delivery.address)
        return await compose(delivery, instant)

    async def looks(mail: MailObject) -> TransactionResult:
        ahead.append(len(set(composed) - set(transport.posted)))
        return accepted(mail)

    bench.compose = compose_and_note
    transport.answer = looks
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 60}
    assert max(ahead) == 4
    assert sorted(composed) == sorted(set(composed))


async def test_large_messages_are_not_composed_ahead_in_numbers(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(40)
    composed: set[str] = set()
    ahead: list[int] = []

    async def compose_large(delivery: Delivery, instant: datetime) -> MailObject:
        composed.add(delivery.address)
        mail = await compose(delivery, instant)
        return replace(mail, chunks=(b"x" * AHEAD_OCTETS,))

    async def looks(mail: MailObject) -> TransactionResult:
        ahead.append(len(composed - set(transport.posted)))
        return accepted(mail)

    bench.compose = compose_large
    transport.answer = looks
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 40}
    assert max(ahead) == 1


@pytest.mark.parametrize(("is_shared", "most"), [(True, 4), (False, 2)])
async def test_no_more_go_behind_messages_that_hold_much_by_themselves(
    bench_of: BenchOf, transport: WindowTransport, is_shared: bool, most: int
) -> None:
    bench = await bench_of(40)
    body = b"x" * (LADEN_OCTETS // 2)
    shared = SharedFile(body)
    shared.opens()
    file = Enclosure(name="a", size=1, sha256="", body=body, shared=shared if is_shared else None)

    async def compose_large(delivery: Delivery, instant: datetime) -> MailObject:
        return replace(await compose(delivery, instant), chunks=(body,), files=(file,))

    bench.compose = compose_large
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 40}
    assert transport.most == most


@pytest.mark.parametrize("fails_at", [3, 7])
async def test_after_a_fault_of_ours_nobody_is_in_doubt(
    bench_of: BenchOf, transport: WindowTransport, fails_at: int
) -> None:
    bench = await bench_of(40)
    composed = 0

    async def breaks(delivery: Delivery, instant: datetime) -> MailObject:
        nonlocal composed
        composed += 1
        if composed == fails_at:
            raise ZeroDivisionError
        return await compose(delivery, instant)

    bench.compose = breaks
    with pytest.raises(ZeroDivisionError):
        await bench.send(transport, connections=1)

    sent = len(transport.posted)
    assert sent == (0 if fails_at == 3 else 4)
    states = await bench.states()
    assert states.pop("sent", 0) == sent
    assert states == {"pending": 40 - sent}


async def test_what_was_composed_ahead_of_a_session_that_broke_goes_by_another(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(30)
    answers = 0

    async def breaks(mail: MailObject) -> TransactionResult:
        nonlocal answers
        answers += 1
        if answers == 9:
            transport.is_over = True
        if transport.is_over:
            raise ConnectionLost("reset", host="h", stage=Stage.MAIL)
        return accepted(mail)

    transport.answer = breaks
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 30}
    assert len(transport.received) == len(set(transport.addresses)) == 30
    assert bench.recorder.attempts


async def test_what_is_plainly_accepted_is_written_with_the_reply_of_each(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(9)
    transport.taken = 3
    transport.answer = refuses

    await bench.send(transport, connections=1)

    replies = {d.row: (a.state, a.reply) for d, a in bench.recorder.attempts}
    taken = [("sent", f"taken as {mail.message_id}") for mail in transport.received]
    assert [replies.pop(row) for row in (1, 2, 3)] == taken
    assert set(replies.values()) == {("failed", "no such user")}
    assert await bench.states() == {"sent": 3, "failed": 6}


async def refuses(mail: MailObject) -> TransactionResult:
    return refused_at_rcpt(mail, 550, "no such user")


async def test_of_a_batch_who_is_not_ours_any_more_alone_is_not_sent_to(
    bench_of: BenchOf, transport: WindowTransport
) -> None:
    bench = await bench_of(12)
    transport.taken = 12
    real = bench.run.mark_all
    lost: list[str] = []

    async def mark_all(asked: Sequence[Any]) -> list[bool]:
        if len(asked) > 1 and not lost:
            delivery = asked[1][0]
            lost.append(delivery.address)
            await bench.run.release([delivery])
            assert await bench.ledger.run(bench.campaign_id, owner="other").claim(1)
        return await real(asked)

    bench.run.mark_all = mark_all  # type: ignore[assignment, method-assign]  # a takeover

    await bench.send(transport, connections=1, is_waiting=False, limit=11)

    assert lost
    assert len(transport.received) == len(set(transport.addresses)) == 11
    assert not set(lost) & set(transport.addresses)
