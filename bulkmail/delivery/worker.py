"""One worker: takes deliveries from its lane and makes one attempt each, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bulkmail.clock import Clock, moment
from bulkmail.delivery import classify
from bulkmail.delivery.control import Control
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.limiter import QuotaSpent, Slot
from bulkmail.delivery.ports import Ledger, Observer, Session
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.delivery.verdict import Try, gave_up, verdict
from bulkmail.errors import (
    AuthenticationFailed,
    BulkmailError,
    ConfigurationError,
    MessageRefusedLocally,
    SessionError,
    TlsFailed,
)
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.message.faults import RowSkipped
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.smtp.stage import Stage

#: Composes one delivery's message for one instant. Raises `ConfigurationError` with the row's
#: faults.
Compose = Callable[[Delivery, datetime], Awaitable[MailObject]]
#: The epoch time at which sending may go on (a window that is shut); None: now.
ShutUntil = Callable[[float], float | None]

#: A slot further away than this is waited for without holding a session: servers close idle ones.
LONG_WAIT = 2.0
#: Seconds before its slot at which a worker asks for its session again.
LEAD = 0.5


class ClaimLost(BulkmailError):
    """The row was taken over while this process was paused past its lease: nothing was sent."""


@dataclass(slots=True)
class Tally:
    """What this run did so far."""

    #: Attempts by the state they led to.
    results: dict[State, int] = field(default_factory=dict)
    #: The deliveries that were tried, by id: when one that waits is due again (epoch seconds), None
    #: for one that does not. None where nobody asks (it grows with the list).
    tried: dict[int, float | None] | None = None

    def book(self, attempt: Attempt) -> None:
        """Count one recorded attempt."""
        self.results[attempt.state] = self.results.get(attempt.state, 0) + 1
        if self.tried is not None and attempt.state is not State.PENDING:
            self.tried[attempt.delivery_id] = attempt.due_at

    def due(self) -> dict[int, float]:
        """Those of the tried that wait, and since or until when."""
        return {id_: at for id_, at in (self.tried or {}).items() if at is not None}

    def settle(self, ids: Iterable[int]) -> None:
        """Wait for these no longer."""
        if self.tried is not None:
            self.tried.update(dict.fromkeys(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """What all workers of a run share."""

    ledger: Ledger
    compose: Compose
    policy: RetryPolicy
    clock: Clock
    control: Control
    observer: Observer
    shut_until: ShutUntil
    tally: Tally


class Worker:
    """At most one message on the wire at a time, and no session held between two.

    A result is written while the next message is under way: the ledger is first in, first out, so
    the next mark is durable only behind it, and both travel in one group commit.
    """

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared
        self._recording: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work until cancelled. What the ledger raises ends it."""
        async with asyncio.TaskGroup() as group:
            while True:
                delivery = await self._lane.next()
                try:
                    tried = await self._deliver(delivery)
                except BaseException:
                    self._done()
                    raise
                if self._recording is not None:
                    await self._recording
                self._recording = None
                if tried is None:
                    self._done()
                else:
                    self._recording = group.create_task(self._record(*tried))

    def _done(self) -> None:
        self._lane.done()
        self._shared.control.wake()

    async def _record(self, tried: Try, attempt: Attempt) -> None:
        try:
            if await self._shared.ledger.record(attempt):
                self._shared.tally.book(attempt)
                self._shared.observer.attempted(tried.delivery, attempt)
        finally:
            self._done()

    async def _deliver(self, delivery: Delivery) -> tuple[Try, Attempt] | None:
        """Make one attempt; None: there is nothing to record, the delivery was given back."""
        now = self._shared.clock.time()
        if not self._may_begin(now):
            await self._shared.ledger.release([delivery])
            return None
        tried = Try(delivery, self._lane.name, delivery.first_attempt_at or now)
        if self._shared.policy.is_over(delivery.attempts, delivery.first_attempt_at, now):
            return tried, gave_up(tried, "given up while it waited", now)
        try:
            mail = await self._shared.compose(delivery, moment(tried.started_at))
        except RowSkipped as skipped:
            return self._skipped(tried, skipped.reason)
        except ConfigurationError as error:
            reason = "; ".join(fault.message for fault in error.faults)
            local = PermanentFailure(blame=Blame.US, stage=None, reply=None, reason=reason)
            return self._settled(Try(delivery, None, tried.started_at), local)
        return await self._hand_over(tried, mail)

    def _skipped(self, tried: Try, reason: str) -> tuple[Try, Attempt]:
        """Nothing was tried; who may have got it in an earlier try stays in doubt."""
        may_have_it = tried.delivery.doubts > 0
        return tried, Attempt(
            delivery_id=tried.delivery.id,
            epoch=tried.delivery.epoch,
            at=self._shared.clock.time(),
            started_at=tried.started_at,
            state=State.IN_DOUBT if may_have_it else State.SUPPRESSED,
            reason=f"in doubt, and not sent again: {reason}" if may_have_it else reason,
        )

    def _may_begin(self, now: float) -> bool:
        return (
            self._shared.control.may_begin
            and self._lane.health.allowance(now) > 0
            and self._shared.shut_until(now) is None
        )

    async def _hand_over(self, tried: Try, mail: MailObject) -> tuple[Try, Attempt] | None:
        began_in = self._lane.health.round
        try:
            session = await self._session_in_its_slot()
        except SessionError as error:
            await self._shared.ledger.release([tried.delivery])
            await self._server_failed(error, began_in)
            return None
        if session is None:
            await self._shared.ledger.release([tried.delivery])
            return None
        try:
            outcome = await self._send(session, tried, mail)
        except ClaimLost:
            return None
        finally:
            await self._lane.transport.release(session)
        await self._judge_server(outcome, began_in)
        return self._settled(tried, outcome)

    def _settled(self, tried: Try, outcome: Outcome) -> tuple[Try, Attempt]:
        return tried, verdict(tried, outcome, self._shared.policy, self._shared.clock.time())

    async def _session_in_its_slot(self) -> Session | None:
        """A session, at an instant at which the limits let one message go; None: not now."""
        lane, control = self._lane, self._shared.control
        session = await self._acquire()
        while session is not None:
            try:
                slot = await lane.limiter.next()
            except BaseException:
                await lane.transport.release(session)
                raise
            if slot is None:
                return session
            if isinstance(slot, QuotaSpent):
                await lane.transport.release(session)
                self._quota_spent(slot)
                await self._give_back()
                return None
            if slot.opens_at - self._shared.clock.time() > LONG_WAIT:
                await lane.transport.release(session)
                going_on = await control.pause(slot.opens_at - LEAD)
                session = await self._acquire() if going_on else None
            if session is None or await self._reach(slot, session):
                return session
            if not self._may_begin(self._shared.clock.time()):
                await lane.transport.release(session)
                return None
        return None

    async def _acquire(self) -> Session | None:
        """A session; None where the run is to stop: a server that is silent is not waited for."""
        try:
            async with self._shared.control.until_stop():
                return await self._lane.transport.acquire()
        except SessionError:
            raise
        except TimeoutError:
            return None

    async def _reach(self, slot: Slot, session: Session) -> bool:
        """Wait for the slot. False: it is void, or the run is stopping."""
        try:
            going_on = await self._shared.control.pause(slot.opens_at)
        except BaseException:
            await self._lane.transport.release(session)
            raise
        now = self._shared.clock.time()
        return going_on and now <= slot.void_at and self._shared.shut_until(now) is None

    async def _send(self, session: Session, tried: Try, mail: MailObject) -> Outcome:
        # Asked for now, awaited before the end of data: it is durable while the server answers.
        marking = asyncio.ensure_future(self._shared.ledger.mark(tried.delivery, tried.started_at))
        may_be_out = False

        async def mark() -> None:
            nonlocal may_be_out
            if not await asyncio.shield(marking):
                raise ClaimLost("the claim was taken over")
            may_be_out = True

        try:
            outcome = classify.of_result(await session.send(mail, mark), mail.left_out)
        except SessionError as error:
            outcome = classify.of_session_error(error)
        except MessageRefusedLocally as error:
            outcome = classify.of_local_refusal(error)
        except asyncio.CancelledError:
            await asyncio.shield(self._cut(tried, may_be_out=may_be_out))
            raise
        if not await marking:
            raise ClaimLost("the claim was taken over")
        return outcome

    async def _cut(self, tried: Try, *, may_be_out: bool) -> None:
        """Write down what a cancellation left: past the mark it may be past the dot."""
        if may_be_out:
            _, attempt = self._settled(tried, InDoubt(reason="interrupted"))
            await self._shared.ledger.record(attempt)
            self._shared.observer.attempted(tried.delivery, attempt)
        else:
            await self._shared.ledger.release([tried.delivery])

    async def _judge_server(self, outcome: Outcome, began_in: int) -> None:
        health = self._lane.health
        match outcome:
            case Accepted():
                health.accepted()
            case PermanentFailure(blame=Blame.MESSAGE, stage=Stage()):
                health.refused_message(outcome.reason)
            case TransientFailure(blame=Blame.SESSION | Blame.SERVER) | InDoubt():
                self._failed(outcome.reason, began_in)
            case PermanentFailure(blame=Blame.SERVER, reply=reply) if reply is not None:
                if reply.code in _LOGIN_CODES:
                    health.stop(f"{self._lane.name}: {outcome.reason}")
                else:
                    self._failed(outcome.reason, began_in)
            case _ if outcome.stage is not None:
                health.succeeded()
        await self._after_failure()

    async def _server_failed(self, error: SessionError, began_in: int) -> None:
        if isinstance(error, AuthenticationFailed) and not error.is_transient:
            self._lane.health.stop(str(error), error.hint)
        elif isinstance(error, TlsFailed):
            self._lane.health.stop(str(error))
        else:
            self._failed(str(error), began_in, at_once=True)
        await self._after_failure()

    def _failed(self, sentence: str, began_in: int, *, at_once: bool = False) -> None:
        now = self._shared.clock.time()
        self._lane.health.failed(sentence, now=now, began_in=began_in, at_once=at_once)

    def _quota_spent(self, spent: QuotaSpent) -> None:
        self._lane.health.rest(spent.again_at, f"the quota {spent.rate} is spent")

    async def _after_failure(self) -> None:
        health = self._lane.health
        if health.allowance(self._shared.clock.time()) == 0:
            self._shared.observer.server_changed(self._lane.name, health.sentence)
            await self._give_back()

    async def _give_back(self) -> None:
        """What waits behind a server that rests or is out of use is free for the others."""
        if waiting := self._lane.drain():
            await self._shared.ledger.release(waiting)


#: Login wanted, refused or too weak (RFC 4954, 6): the account's, and the same for everybody.
_LOGIN_CODES = frozenset({530, 534, 535, 538})
