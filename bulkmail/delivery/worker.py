"""One worker: takes deliveries from its lane and makes one attempt each, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
    #: Ids of the deliveries that were tried; None where nobody asks (it grows with the list).
    tried: set[int] | None = None

    def book(self, attempt: Attempt) -> None:
        """Count one recorded attempt."""
        self.results[attempt.state] = self.results.get(attempt.state, 0) + 1
        if self.tried is not None and attempt.state is not State.PENDING:
            self.tried.add(attempt.delivery_id)


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
    """At most one delivery at a time, and no session held between two."""

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            delivery = await self._lane.next()
            try:
                await self._deliver(delivery)
            finally:
                self._lane.done()
                self._shared.control.wake()

    async def _deliver(self, delivery: Delivery) -> None:
        now = self._shared.clock.time()
        if not self._may_begin(now):
            await self._shared.ledger.release([delivery])
            return
        tried = Try(delivery, self._lane.name, delivery.first_attempt_at or now)
        if self._shared.policy.has_expired(delivery.first_attempt_at, now):
            await self._record(tried, gave_up(tried, "given up while it waited", now))
            return
        try:
            mail = await self._shared.compose(delivery, moment(tried.started_at))
        except ConfigurationError as error:
            reason = "; ".join(fault.message for fault in error.faults)
            local = PermanentFailure(blame=Blame.US, stage=None, reply=None, reason=reason)
            await self._settle(Try(delivery, None, tried.started_at), local)
            return
        await self._hand_over(tried, mail)

    def _may_begin(self, now: float) -> bool:
        return (
            not self._shared.control.is_stopping
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
        try:
            outcome = await self._send(session, tried, mail)
        except ClaimLost:
            return
        finally:
            await self._lane.transport.release(session)
        await self._settle(tried, outcome)
        await self._judge_server(outcome, began_in)

    async def _session_in_its_slot(self) -> Session | None:
        """A session, at an instant at which the limits let one message go; None: not now."""
        lane, control = self._lane, self._shared.control
        session = await lane.transport.acquire()
        while True:
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
                if not await control.pause(slot.opens_at - LEAD):
                    return None
                session = await lane.transport.acquire()
            if await self._reach(slot, session):
                return session
            if not self._may_begin(self._shared.clock.time()):
                await lane.transport.release(session)
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
        is_marked = False

        async def mark() -> None:
            nonlocal is_marked
            if not await self._shared.ledger.mark(tried.delivery, tried.started_at):
                raise ClaimLost("the claim was taken over")
            is_marked = True

        try:
            return classify.of_result(await session.send(mail, mark), mail.left_out)
        except SessionError as error:
            return classify.of_session_error(error)
        except MessageRefusedLocally as error:
            return classify.of_local_refusal(error)
        except asyncio.CancelledError:
            # What is past the mark may be past the dot: that is written down before leaving.
            if is_marked:
                await asyncio.shield(self._settle(tried, InDoubt(reason="interrupted")))
            raise

    async def _settle(self, tried: Try, outcome: Outcome) -> None:
        now = self._shared.clock.time()
        await self._record(tried, verdict(tried, outcome, self._shared.policy, now))

    async def _record(self, tried: Try, attempt: Attempt) -> None:
        if await self._shared.ledger.record(attempt):
            self._shared.tally.book(attempt)
            self._shared.observer.attempted(tried.delivery, attempt)

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
