"""Messages that ride behind one another, as a worker gives them to a session that takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest
from support.engine import Bench, FakeSession, FakeTransport, accepted, compose, refused_at_rcpt
from support.virtual import VirtualClock, virtually

from bulkmail.campaign.units import Rate
from bulkmail.delivery.flight import LENGTHY
from bulkmail.delivery.ports import Mark, Meanwhile
from bulkmail.delivery.worker import BRISK, TOGETHER
from bulkmail.errors import ConnectionLost
from bulkmail.fate import Attempt, Delivery
from bulkmail.ledger import Ledger
from bulkmail.ledger.run import CampaignRun
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

BenchOf = Callable[[int], Awaitable[Bench]]


class GluingSession(FakeSession):
    """Takes a follower's envelope when the message before it is given."""

    def __init__(self, transport: GluingTransport) -> None:
        super().__init__(transport)
        self._ends = transport
        self.ahead: MailObject | None = None
        self.is_broken = False

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] = bool,
        meanwhile: Meanwhile | None = None,
    ) -> TransactionResult:
        is_glued, self.ahead = self.ahead is mail, None
        if check is not None and not is_glued:
            check()
        ends = self._ends
        ends.count += not is_glued
        ends.begun.append((mail.envelope.forward_paths[0], is_glued))
        await mark()
        try:
            if meanwhile is not None:
                await meanwhile()
            result = await ends.behaviour(mail, mark)
        except BaseException:
            self.is_broken = True
            raise
        if result.end_of_data is not None and follower is not None and may_follow():
            self.ahead = follower
            ends.count += 1
        if result.is_accepted:
            ends.received.append(mail)
        return result


class GluingTransport(FakeTransport):
    def __init__(self, name: str = "primary", most: int = 100) -> None:
        super().__init__(name)
        #: Who was begun, and whether behind another's dot.
        self.begun: list[tuple[str, bool]] = []
        self.spent: list[object] = []
        self._most = most
        self.takes_followers = True

    async def acquire(self) -> GluingSession:
        await super().acquire()
        self.count = 0
        return GluingSession(self)

    def followed(self, session: object) -> GluingSession | None:
        assert isinstance(session, GluingSession)
        return session if self.takes_followers else None

    depth = 1

    def is_free(self, session: object) -> bool:
        assert isinstance(session, GluingSession)
        return not session.is_broken and session.ahead is None

    def windowed(self, session: object) -> None:
        return None

    def spend(self, session: object) -> None:
        self.spent.append(session)

    def keeps(self, session: object, besides: int = 0) -> bool:
        return session not in self.spent and self.count + besides < self._most


def number(address: str) -> int:
    return int(address[1 : address.index("@")])


@pytest.fixture
def transport() -> GluingTransport:
    return GluingTransport()


async def test_all_that_wait_ride_behind_one_another_on_one_session(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(40)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 40}
    assert len(transport.received) == len(set(transport.addresses)) == 40
    assert sum(is_glued for _, is_glued in transport.begun) >= 20
    assert transport.in_use == 0


async def test_no_more_follow_than_a_connection_may_take(bench_of: BenchOf) -> None:
    transport = GluingTransport(most=3)
    bench = await bench_of(30)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 30}
    runs = "".join("g" if is_glued else " " for _, is_glued in transport.begun).split()
    # One that did not follow, and two behind it.
    assert max(map(len, runs)) == 2


async def test_nobody_follows_on_a_session_whose_server_will_take_no_more_on_it(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(20)

    async def has_enough(mail: MailObject, mark: Mark) -> TransactionResult:
        if len(transport.begun) == 8:
            return TransactionResult(mail=Reply(450, ("MI:DMC 163 smtp3",)))
        return accepted(mail)

    transport.behaviour = has_enough
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    assert len(set(map(id, transport.spent))) == 1
    assert len(transport.begun) == 21


async def test_nobody_follows_where_a_connection_may_take_one_message(bench_of: BenchOf) -> None:
    transport = GluingTransport(most=1)
    bench = await bench_of(10)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 10}
    assert not any(is_glued for _, is_glued in transport.begun)


async def test_a_lost_reply_puts_one_in_doubt_and_the_follower_is_begun_anew(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(12)
    bench.retry = type(bench.retry)(backoff=(0.01,), resend_on_doubt=False)
    lost: list[str] = []

    async def loses_one(mail: MailObject, mark: Mark) -> TransactionResult:
        (path,) = mail.envelope.forward_paths
        if len(transport.begun) == 8 and not lost:
            lost.append(path)
            raise ConnectionLost("lost", stage=Stage.END_OF_DATA)
        return accepted(mail)

    transport.behaviour = loses_one
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 11, "in_doubt": 1}
    (doubted,) = [d.address for d, a in bench.recorder.attempts if a.state == "in_doubt"]
    assert [doubted] == lost
    assert len(transport.addresses) == len(set(transport.addresses)) == 11


@pytest.mark.parametrize("is_said", [True, False], ids=["421", "lost"])
async def test_who_rode_behind_a_last_reply_is_begun_anew_and_not_deferred(
    bench_of: BenchOf, transport: GluingTransport, is_said: bool
) -> None:
    bench = await bench_of(12)

    async def has_enough(mail: MailObject, mark: Mark) -> TransactionResult:
        if len(transport.begun) == 6 and transport.begun[-1][1]:
            if is_said:
                return TransactionResult(mail=Reply(421, ("4.7.0 enough",)))
            raise ConnectionLost("lost", stage=Stage.MAIL)
        return accepted(mail)

    transport.behaviour = has_enough
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 12}
    assert {attempt.state for _, attempt in bench.recorder.attempts} == {"sent"}


async def test_a_refused_follower_is_refused_and_no_other(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(12)

    async def knows_no_five(mail: MailObject, mark: Mark) -> TransactionResult:
        if number(mail.envelope.forward_paths[0]) == 5:
            return refused_at_rcpt(mail, 550, "5.1.1 no such user")
        return accepted(mail)

    transport.behaviour = knows_no_five
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 11, "failed": 1}


async def test_of_one_connection_one_row_at_most_is_marked_without_a_result(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(20)
    most = 0

    async def looks(mail: MailObject, mark: Mark) -> TransactionResult:
        nonlocal most
        await asyncio.sleep(0)
        most = max(most, (await bench.states()).get("sending", 0))
        return accepted(mail)

    transport.behaviour = looks
    await bench.send(transport, connections=1)

    assert most == 1


async def test_nothing_follows_once_the_run_is_to_stop(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(20)

    async def stops(mail: MailObject, mark: Mark) -> TransactionResult:
        if len(transport.begun) == 5:
            bench.control.stop()
        return accepted(mail)

    transport.behaviour = stops
    await bench.send(transport, connections=1)

    states = await bench.states()
    assert states["sent"] in (5, 6)
    assert states["sent"] + states["pending"] == 20
    assert await bench.claimable() == states["pending"]


async def test_a_cut_leaves_the_first_in_doubt_and_the_follower_as_it_was(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(6)
    reached = asyncio.Event()

    async def hangs(mail: MailObject, mark: Mark) -> TransactionResult:
        if len(transport.begun) == 4:
            reached.set()
            await asyncio.Event().wait()
        return accepted(mail)

    transport.behaviour = hangs
    running = asyncio.create_task(bench.send(transport, connections=1))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    states = await bench.states()
    assert states == {"sent": 3, "in_doubt": 1, "pending": 2}


@pytest.mark.parametrize("row", [2, 3, 4])
async def test_a_cut_while_a_follower_is_composed_leaves_no_mark_behind(
    bench_of: BenchOf, transport: GluingTransport, row: int
) -> None:
    bench = await bench_of(6)
    composes, reached = bench.compose, asyncio.Event()

    async def hangs(delivery: Delivery, instant: datetime) -> MailObject:
        if delivery.row == row:
            reached.set()
            await asyncio.Event().wait()
        return await composes(delivery, instant)

    bench.compose = hangs
    running = asyncio.create_task(bench.send(transport, connections=1))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    states = await bench.states()
    assert "sending" not in states
    assert states.get("sent", 0) == len(transport.received)
    # The third one is composed while the first one's answer is awaited, which is cut.
    on_its_way = int(row > 2)
    assert states.get("in_doubt", 0) == on_its_way
    assert states["pending"] == 6 - on_its_way - len(transport.received)


async def test_where_nobody_may_ride_behind_the_next_one_still_goes_on_the_same_session(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    transport.takes_followers = False
    bench = await bench_of(40)

    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 40}
    assert len(transport.received) == len(set(transport.addresses)) == 40
    assert not any(is_glued for _, is_glued in transport.begun)
    # One for each look of the dispatcher, not one a message.
    assert transport.opened <= 10


async def test_a_session_that_broke_is_given_no_next_one(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    transport.takes_followers = False
    bench = await bench_of(12)
    broken: list[str] = []

    async def breaks_on_some(mail: MailObject, mark: Mark) -> TransactionResult:
        address = mail.envelope.forward_paths[0]
        if number(address) % 5 == 0 and address not in broken:
            broken.append(address)
            raise ConnectionLost("reset", host="h", stage=Stage.MAIL)
        return accepted(mail)

    transport.behaviour = breaks_on_some
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 12}
    assert len(broken) == 2
    assert len(transport.received) == len(set(transport.addresses)) == 12


async def test_under_a_pace_each_waits_for_a_turn_of_its_own(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    transport.takes_followers = False
    bench = await bench_of(6)

    await bench.send(transport, connections=1, rates=(Rate(200, 1.0),))

    assert await bench.states() == {"sent": 6}
    # One more for each that missed its turn.
    assert transport.opened >= 6


@pytest.mark.parametrize(
    ("octets", "most"),
    [
        # The one on its way, the one whose envelope rides behind it, and the one behind that.
        (100, 3),
        # What may take long is composed when the answer was heard.
        (20_000, 2),
    ],
)
async def test_who_goes_next_is_composed_while_the_server_answers(
    bench_of: BenchOf, transport: GluingTransport, octets: int, most: int
) -> None:
    bench = await bench_of(20)
    composes = bench.compose
    composed: list[int] = []
    known: list[int] = []

    async def notes(delivery: Delivery, instant: datetime) -> MailObject:
        composed.append(delivery.row)
        mail = await composes(delivery, instant)
        return MailObject(mail.envelope, (b"x" * octets,), message_id=mail.message_id)

    async def answers(mail: MailObject, mark: Mark) -> TransactionResult:
        known.append(len(composed) - len(transport.received))
        return accepted(mail)

    bench.compose, transport.behaviour = notes, answers
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    assert max(known) == most


@pytest.mark.parametrize(("rate", "seconds"), [(Rate(60, 1.0), 0.05), (Rate(60, 60.0), 2.0)])
@pytest.mark.parametrize("octets", [100, LENGTHY + 1])
def test_composing_that_takes_longer_than_a_slot_is_valid_makes_nobody_miss_theirs(
    rate: Rate, seconds: float, octets: int
) -> None:
    composed = 0

    async def takes_long(delivery: Delivery, instant: datetime) -> MailObject:
        nonlocal composed
        composed += 1
        assert composed < 100, "nobody's turn comes"
        await asyncio.sleep(seconds)
        return replace(await compose(delivery, instant), chunks=(b"x" * octets,))

    async def story(clock: VirtualClock) -> None:
        ledger, transport = await Ledger.open(None, clock=clock), GluingTransport()
        bench = await Bench.of(ledger, clock, *(f"u{n}@x.example" for n in range(6)))
        bench.compose = takes_long

        await bench.send(transport, connections=1, rates=(rate,))

        assert await bench.states() == {"sent": 6}
        assert len(transport.received) == 6

    virtually(story)
    assert composed <= 12


@pytest.mark.parametrize(
    ("is_shared", "seconds", "most"),
    [
        (True, 0.0, 1 + TOGETHER),
        (False, 0.0, 2),
        # The server would wait for all of them.
        (True, 2 * BRISK, 2),
    ],
)
async def test_messages_of_a_large_file_are_composed_in_a_row_where_the_file_is_shared(
    bench_of: BenchOf, transport: GluingTransport, is_shared: bool, seconds: float, most: int
) -> None:
    bench = await bench_of(30)
    composes = bench.compose
    shared = SharedFile(b"x" * (LENGTHY + 1))
    shared.opens()
    composed = 0
    known: list[int] = []

    async def attaches(delivery: Delivery, instant: datetime) -> MailObject:
        nonlocal composed
        composed += 1
        bench.clock.elapse(seconds)
        mail = await composes(delivery, instant)
        file = Enclosure(
            name="a", size=1, sha256="", body=shared.content, shared=shared if is_shared else None
        )
        return replace(mail, chunks=(shared.content,), files=(file,))

    async def answers(mail: MailObject, mark: Mark) -> TransactionResult:
        known.append(composed - len(transport.received))
        return accepted(mail)

    bench.compose, transport.behaviour = attaches, answers
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 30}
    assert composed == 30
    # No more before the row is used up.
    assert known[:most] == ([*range(most, 1, -1), 2] if most > 2 else [2, 2])


@pytest.mark.parametrize("takes_followers", [True, False])
async def test_a_fault_in_composing_ahead_is_no_word_on_what_is_on_its_way(
    bench_of: BenchOf, transport: GluingTransport, takes_followers: bool
) -> None:
    transport.takes_followers = takes_followers
    bench = await bench_of(20)
    composes = bench.compose

    async def breaks(delivery: Delivery, instant: datetime) -> MailObject:
        if delivery.row == 8:
            raise RuntimeError("a fault of ours")
        return await composes(delivery, instant)

    bench.compose = breaks
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await bench.send(transport, connections=1)

    states = await bench.states()
    assert states["sent"] == len(transport.received) >= 6
    assert not {"in_doubt", "sending"} & states.keys()


async def test_who_rode_behind_one_too_wide_is_begun_anew_and_not_deferred(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    bench = await bench_of(12)
    composes = bench.compose
    lost: list[str] = []

    async def has_cc(delivery: Delivery, instant: datetime) -> MailObject:
        mail = await composes(delivery, instant)
        paths = (delivery.address, "cc1@x.example", "cc2@x.example")
        return replace(mail, envelope=Envelope("from@x.example", paths))

    async def takes_one_at_once(mail: MailObject, mark: Mark) -> TransactionResult:
        if len(mail.envelope.forward_paths) > 1:
            return replace(accepted(mail), end_of_data=Reply(452, ("4.5.3 too many recipients",)))
        return accepted(mail)

    async def closes(mail: MailObject, mark: Mark) -> TransactionResult:
        if transport.begun[-1][1] and not lost:
            lost.append(mail.envelope.forward_paths[0])
            raise ConnectionLost("lost", stage=Stage.MAIL)
        return await takes_one_at_once(mail, mark)

    bench.compose, transport.behaviour = has_cc, closes
    await bench.send(transport, connections=1)

    assert lost
    assert await bench.states() == {"sent": 12}
    assert {attempt.state for _, attempt in bench.recorder.attempts} == {"sent"}


async def test_a_session_that_closes_while_the_next_one_is_composed_is_given_nothing(
    bench_of: BenchOf, transport: GluingTransport
) -> None:
    transport.takes_followers = False
    bench = await bench_of(3)
    composes = bench.compose
    sessions: list[GluingSession] = []
    acquires = transport.acquire

    async def acquire() -> GluingSession:
        sessions.append(await acquires())
        return sessions[-1]

    async def closes(delivery: Delivery, instant: datetime) -> MailObject:
        if delivery.row == 3 and len(transport.received) == 2:
            sessions[-1].is_broken = True
        return await composes(delivery, instant)

    async def refuses_when_closed(mail: MailObject, mark: Mark) -> TransactionResult:
        if sessions[-1].is_broken:
            raise ConnectionLost("it is closed", stage=Stage.MAIL)
        return accepted(mail)

    bench.compose, transport.behaviour = closes, refuses_when_closed
    transport.acquire = acquire  # type: ignore[method-assign]  # told of each
    await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 3}
    assert {attempt.state for _, attempt in bench.recorder.attempts} == {"sent"}


@pytest.mark.parametrize("rates", [(), (Rate(20, 1.0),)])
async def test_a_fault_while_the_server_answers_is_told_where_nobody_asks_for_the_next(
    bench_of: BenchOf, transport: GluingTransport, rates: tuple[Rate, ...]
) -> None:
    """The server takes one message a session; or the pace has nobody follow at once."""
    bench = await bench_of(12)
    composes = bench.compose

    async def breaks(delivery: Delivery, instant: datetime) -> MailObject:
        if delivery.row == 4:
            raise RuntimeError("a fault of ours")
        return await composes(delivery, instant)

    bench.compose = breaks
    if not rates:
        transport.takes_followers = False
        transport.is_free = lambda session: False  # type: ignore[method-assign]

    with pytest.raises(RuntimeError, match="a fault of ours"):
        await bench.send(transport, connections=1, rates=rates)


class PatientRun:
    """A run that writes what may wait when it is told to hurry, or behind it, and no sooner."""

    def __init__(self, run: CampaignRun) -> None:
        self._run = run
        self._waiting: list[Callable[[], None]] = []
        #: What could wait.
        self.patient: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def mark(self, *asked: Any, may_wait: bool) -> Awaitable[bool]:
        return self._later("mark", may_wait, *asked)

    def record_all(self, attempts: Sequence[Attempt], *, may_wait: bool) -> Awaitable[Any]:
        return self._later("record_all", may_wait, attempts)

    def hurry(self) -> None:
        waiting, self._waiting = self._waiting, []
        for write in waiting:
            write()

    def _later(self, what: str, may_wait: bool, *asked: Any) -> Awaitable[Any]:
        told = asyncio.get_running_loop().create_future()

        def write() -> None:
            told.set_result(getattr(self._run, what)(*asked).result())

        self._waiting.append(write)
        if may_wait:
            self.patient.append(what)
        else:
            self.hurry()
        return told


@pytest.mark.parametrize(("octets", "may_wait"), [(262_144, False), (262_145, True)])
async def test_the_mark_of_a_long_follower_may_wait_for_its_end_with_the_result_before_it(
    bench_of: BenchOf, transport: GluingTransport, octets: int, may_wait: bool
) -> None:
    bench = await bench_of(20)
    composes = bench.compose
    run = PatientRun(bench.run)

    async def is_large(delivery: Delivery, instant: datetime) -> MailObject:
        mail = await composes(delivery, instant)
        return MailObject(mail.envelope, (b"x" * octets,), message_id=mail.message_id)

    bench.compose, bench.run = is_large, cast("CampaignRun", run)
    async with asyncio.timeout(60):  # a mark that nobody hurries is never written
        await bench.send(transport, connections=1)

    assert await bench.states() == {"sent": 20}
    followers = sum(is_glued for _, is_glued in transport.begun)
    assert run.patient == ["record_all", "mark"] * (followers if may_wait else 0)
