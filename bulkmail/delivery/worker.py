"""One worker: takes deliveries from its lane and makes one attempt each, one at a time."""

from __future__ import annotations

import asyncio
from collections import deque
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
    the next mark is durable only behind it, and both travel in one group commit. From the moment
    it is known a result is written whatever becomes of the worker: what a server has said is never
    in doubt for want of a moment to write it down.
    """

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared
        self._writing: deque[asyncio.Task[None]] = deque()

    async def run(self) -> None:
        """Work until cancelled. What the ledger raises ends it; results are written first."""
        try:
            while True:
                if self._lane.is_idle:
                    await self._written()
                delivery = await self._lane.next()
                await self._take(delivery)
                await self._written(all_but=1)
        finally:
            await self._written()

    async def _written(self, *, all_but: int = 0) -> None:
        """Wait until results are in the ledger, but for the last so many. A wait cuts none off."""
        while len(self._writing) > all_but:
            await asyncio.wait([self._writing[0]])
            self._writing.popleft().result()

    async def _take(self, delivery: Delivery) -> None:
        """Make one attempt, and have its result written if it has one."""
        before = len(self._writing)
        try:
            await self._deliver(delivery)
        finally:
            if len(self._writing) == before:
                self._done()

    def _done(self) -> None:
        self._lane.done()
        self._shared.control.wake()

    def _write(
        self, tried: Try, attempt: Attempt, mark: asyncio.Future[bool] | None = None
    ) -> None:
        self._writing.append(asyncio.create_task(self._record(tried, attempt, mark)))

    async def _record(
        self, tried: Try, attempt: Attempt, mark: asyncio.Future[bool] | None
    ) -> None:
        try:
            is_ours = mark is None or await mark
            if is_ours and await self._shared.ledger.record(attempt):
                self._shared.tally.book(attempt)
                self._shared.observer.attempted(tried.delivery, attempt)
        finally:
            self._done()

    async def _deliver(self, delivery: Delivery) -> None:
        """Make one attempt; where it has no result, the delivery was given back."""
        now = self._shared.clock.time()
        if not self._may_begin(now):
            await self._shared.ledger.release([delivery])
            return
        tried = Try(delivery, self._lane.name, delivery.first_attempt_at or now)
        if self._shared.policy.is_over(delivery.attempts, delivery.first_attempt_at, now):
            self._write(tried, gave_up(tried, "given up while it waited", now))
            return
        try:
            mail = await self._shared.compose(delivery, moment(tried.started_at))
        except RowSkipped as skipped:
            self._write(tried, self._skipped(tried, skipped.reason))
            return
        except ConfigurationError as error:
            reason = "; ".join(fault.message for fault in error.faults)
            local = PermanentFailure(blame=Blame.US, stage=None, reply=None, reason=reason)
            unsent = Try(delivery, None, tried.started_at)
            self._write(unsent, self._judged(unsent, local))
            return
        await self._hand_over(tried, mail)

    def _skipped(self, tried: Try, reason: str) -> Attempt:
        """Nothing was tried; who may have got it in an earlier try stays in doubt."""
        may_have_it = tried.delivery.doubts > 0
        return Attempt(
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

    async def _hand_over(self, tried: Try, mail: MailObject) -> None:
        began_in = self._lane.health.round
        try:
            session = await self._session_in_its_slot()
        except SessionError as error:
            await self._shared.ledger.release([tried.delivery])
            await self._server_failed(error, began_in)
            return
        if session is None:
            await self._shared.ledger.release([tried.delivery])
            return
        # Asked for now, awaited before the end of data: it is durable while the server answers.
        mark = asyncio.ensure_future(self._shared.ledger.mark(tried.delivery, tried.started_at))
        try:
            outcome = await self._send(session, tried, mail, mark)
            self._write(tried, self._judged(tried, outcome), mark)
        except ClaimLost:
            return
        finally:
            await self._lane.transport.release(session)
        await self._judge_server(outcome, began_in)

    def _judged(self, tried: Try, outcome: Outcome) -> Attempt:
        return verdict(tried, outcome, self._shared.policy, self._shared.clock.time())

    async def _session_in_its_slot(self) -> Session | None:
        """A session, at an instant at which the limits let one message go; None: not now."""
        lane, control = self._lane, self._shared.control
        session = await self._acquire()
        while session is not None:
            try:
                slot = await lane.limiter.next(control)
            except BaseException:
                await lane.transport.release(session)
                raise
            if slot is None:
                return session
            if not isinstance(slot, Slot):
                await lane.transport.release(session)
                if isinstance(slot, QuotaSpent):
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

    async def _send(
        self, session: Session, tried: Try, mail: MailObject, marking: asyncio.Future[bool]
    ) -> Outcome:
        may_be_out = False

        async def mark() -> None:
            nonlocal may_be_out
            if not await asyncio.shield(marking):
                raise ClaimLost("the claim was taken over")
            may_be_out = True

        try:
            return classify.of_result(await session.send(mail, mark), mail.left_out)
        except SessionError as error:
            return classify.of_session_error(error)
        except MessageRefusedLocally as error:
            return classify.of_local_refusal(error)
        except asyncio.CancelledError:
            await asyncio.shield(self._cut(tried, may_be_out=may_be_out))
            raise

    async def _cut(self, tried: Try, *, may_be_out: bool) -> None:
        """Write down what a cancellation left: past the mark it may be past the dot."""
        if may_be_out:
            attempt = self._judged(tried, InDoubt(reason="interrupted"))
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
