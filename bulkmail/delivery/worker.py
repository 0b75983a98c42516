"""One worker: takes deliveries from its lane and makes one attempt each, one at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from bulkmail.clock import moment
from bulkmail.delivery import classify
from bulkmail.delivery.engagement import Compose, Engagement, ShutUntil, Tally
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Session
from bulkmail.delivery.splitting import Splitting, too_many
from bulkmail.delivery.turns import Later, SlotMissed, Turns
from bulkmail.delivery.verdict import Try, gave_up, verdict
from bulkmail.errors import (
    BulkmailError,
    ConfigurationError,
    MessageRefusedLocally,
    SessionError,
)
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.message.faults import RowSkipped
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import Accepted, Blame, InDoubt, Outcome, PermanentFailure

__all__ = ["ClaimLost", "Compose", "Engagement", "ShutUntil", "Tally", "Worker"]


class ClaimLost(BulkmailError):
    """The row was taken over while this process was paused past its lease: nothing was sent."""


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
        self._judging = Judging(lane, shared)
        self._turns = Turns(lane, shared, self._judging)
        self._splitting = Splitting(lane, shared, self._turns)
        self._writing: deque[asyncio.Task[bool]] = deque()

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
                self._done(delivery)

    def _done(self, delivery: Delivery) -> None:
        self._lane.done()
        self._shared.gates.leave(delivery.id)
        self._shared.control.wake()

    def _write(
        self, tried: Try, attempt: Attempt, mark: asyncio.Future[bool] | None = None
    ) -> asyncio.Task[bool]:
        writing = asyncio.create_task(self._record(tried, attempt, mark))
        writing.add_done_callback(_hear)
        self._writing.append(writing)
        return writing

    async def _record(
        self, tried: Try, attempt: Attempt, mark: asyncio.Future[bool] | None
    ) -> bool:
        """Write it; whether the claim was ours."""
        try:
            is_ours = (mark is None or await mark) and await self._shared.ledger.record(attempt)
            if is_ours:
                self._shared.tally.book(attempt)
                self._shared.observer.attempted(tried.delivery, attempt)
            return is_ours
        finally:
            self._done(tried.delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        """Make one attempt; where it has no result, the delivery was given back."""
        now = self._shared.clock.time()
        if not self._may_begin(now):
            await self._shared.ledger.release([delivery])
            return
        opens_at = self._shared.opens_for(delivery, now)
        if opens_at is not None:
            await self._shared.ledger.postpone([delivery], opens_at)
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
            session = await self._turns.next(tried.delivery, mail)
        except SessionError as error:
            await self._shared.ledger.release([tried.delivery])
            await self._judging.no_session(error, began_in)
            return
        if isinstance(session, Later) and not session.is_own:
            await self._shared.ledger.postpone([tried.delivery], session.until)
            return
        if session is None or isinstance(session, Later):
            await self._shared.ledger.release([tried.delivery])
            return
        # Asked for now, awaited before the end of data: it is durable while the server answers.
        mark = asyncio.ensure_future(
            self._shared.ledger.mark(tried.delivery, tried.started_at, mail.digests())
        )
        mark.add_done_callback(_hear)
        try:
            outcome = await self._send(session, tried, mail, mark)
            self._turns.count(mail)
            is_split = isinstance(outcome, Accepted) and bool(too_many(outcome.refused))
            if is_split:
                self._lane.hold()
            writing = self._write(tried, self._judged(tried, outcome), mark)
        except ClaimLost:
            return
        except SlotMissed:
            await self._shared.ledger.release([tried.delivery])
            await self._turns.missed()
            return
        finally:
            await self._lane.transport.release(session)
        await self._judging.outcome(tried.delivery, outcome, began_in)
        if is_split and isinstance(outcome, Accepted):
            await self._send_rest(tried.delivery, mail, outcome, writing)

    async def _send_rest(
        self, delivery: Delivery, mail: MailObject, first: Accepted, writing: asyncio.Task[bool]
    ) -> None:
        """Cc and bcc that were too many, once the row itself is on record."""
        try:
            await asyncio.wait([writing])
            if writing.result():
                await self._splitting.send_rest(delivery, mail, first)
        finally:
            self._done(delivery)

    def _judged(self, tried: Try, outcome: Outcome) -> Attempt:
        return verdict(tried, outcome, self._shared.policy, self._shared.clock.time())

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
            return classify.of_result(
                await session.send(mail, mark, check=self._turns.check), mail.left_out
            )
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


def _hear(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for where the run ends by another one."""
    if not done.cancelled():
        done.exception()
