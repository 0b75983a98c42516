"""One worker: takes deliveries from its lane and hands them over, each behind the other."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from bulkmail.delivery import classify
from bulkmail.delivery.engagement import Compose, Engagement, ShutUntil, Tally
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import FollowedSession, Pipelined, Session
from bulkmail.delivery.preparing import Flight, Preparing, Settled
from bulkmail.delivery.splitting import Splitting, too_many
from bulkmail.delivery.turns import Later, SlotMissed, Turns
from bulkmail.delivery.verdict import Try, verdict
from bulkmail.errors import BulkmailError, MessageRefusedLocally, SessionError
from bulkmail.fate import Attempt, Delivery
from bulkmail.outcome import Accepted, Blame, InDoubt, Outcome, TransientFailure
from bulkmail.smtp.stage import Stage

__all__ = ["ClaimLost", "Compose", "Engagement", "ShutUntil", "Tally", "Worker"]


class ClaimLost(BulkmailError):
    """The row was taken over while this process was paused past its lease: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Following:
    """Who could ride behind the message under way, and on which session."""

    session: FollowedSession
    flight: Flight

    @property
    def is_out(self) -> bool:
        """Whether its envelope went out."""
        return self.session.ahead is self.flight.mail


class Worker:
    """One content on the wire at a time, and behind its final dot the next message's envelope.

    No session is held where nothing follows. A result is written while the next message is under
    way: the ledger is first in, first out, so the next mark is durable only behind it, and both
    travel in one group commit; of one connection at most one row is marked and without a result.
    From the moment it is known a result is written whatever becomes of the worker: what a server
    has said is never in doubt for want of a moment to write it down.
    """

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared
        self._judging = Judging(lane, shared)
        self._turns = Turns(lane, shared, self._judging)
        self._splitting = Splitting(lane, shared, self._turns)
        self._preparing = Preparing(lane, shared)
        self._writing: deque[asyncio.Task[bool]] = deque()
        self._pipelined = lane.transport if isinstance(lane.transport, Pipelined) else None

    async def run(self) -> None:
        """Work until cancelled. What the ledger raises ends it; results are written first."""
        try:
            while True:
                if self._lane.is_idle:
                    await self._written()
                flight = await self._ready(await self._lane.next())
                while flight is not None:
                    flight = await self._course(flight)
                await self._written(all_but=1)
        finally:
            await self._written()

    async def _written(self, *, all_but: int = 0) -> None:
        """Wait until results are in the ledger, but for the last so many. A wait cuts none off."""
        while len(self._writing) > all_but:
            await asyncio.wait([self._writing[0]])
            self._writing.popleft().result()

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

    async def _ready(self, delivery: Delivery) -> Flight | None:
        """A delivery's flight; None: it has its result already, or was given back."""
        try:
            if not self._turns.may_begin:
                await self._give_back(delivery)
                return None
            opens_at = self._shared.opens_for(delivery, self._shared.clock.time())
            if opens_at is not None:
                await self._shared.ledger.postpone([delivery], opens_at)
                self._done(delivery)
                return None
            ready = await self._preparing.ready(delivery)
        except BaseException:
            self._done(delivery)
            raise
        if isinstance(ready, Settled):
            self._write(ready.tried, ready.attempt)
            return None
        return ready

    async def _give_back(self, delivery: Delivery) -> None:
        """Untried: it is claimed again."""
        await self._shared.ledger.release([delivery])
        self._done(delivery)

    async def _following(self, session: Session) -> Following | None:
        """Who could ride behind the message that is under way; nobody is waited for."""
        while self._pipelined is not None and self._turns.may_begin:
            followed = self._pipelined.followed(session)
            delivery = None if followed is None else self._lane.next_now()
            if followed is None or delivery is None:
                return None
            if (flight := await self._ready(delivery)) is not None:
                return Following(followed, flight)
        return None

    async def _course(self, flight: Flight) -> Flight | None:
        """Hand messages over on one session, while the next one can follow.

        Returns one that was made ready and could not: it waits for a turn of its own.
        """
        session = await self._turn(flight)
        if session is None:
            return None
        split: tuple[Accepted, asyncio.Task[bool]] | None = None
        try:
            while True:
                if flight.mark is None:
                    self._ask_for_mark(flight)
                following = await self._following(session)
                split = await self._hand_over(session, flight, following)
                if following is None or not following.is_out:
                    break
                flight = following.flight
                await self._written(all_but=1)
        finally:
            await self._lane.transport.release(session)
        if split is not None:
            await self._send_rest(flight, *split)
        return None if following is None else following.flight

    async def _turn(self, flight: Flight) -> Session | None:
        """A session, at an instant at which this message may go; None: it was given back."""
        flight.began_in = self._lane.health.round
        delivery = flight.delivery
        try:
            session = await self._turns.next(delivery, flight.mail)
        except SessionError as error:
            await self._give_back(delivery)
            await self._judging.no_session(error, flight.began_in)
            return None
        if isinstance(session, Later) and not session.is_own:
            await self._shared.ledger.postpone([delivery], session.until)
            self._done(delivery)
            return None
        if session is None or isinstance(session, Later):
            await self._give_back(delivery)
            return None
        return session

    def _ask_for_mark(self, flight: Flight) -> None:
        """Asked for now, awaited before the end of data: it is durable while the server answers."""
        started_at, digests = flight.tried.started_at, flight.mail.digests()
        mark = self._shared.ledger.mark(flight.delivery, started_at, digests)
        flight.mark = asyncio.ensure_future(mark)
        flight.mark.add_done_callback(_hear)

    async def _hand_over(
        self, session: Session, flight: Flight, following: Following | None
    ) -> tuple[Accepted, asyncio.Task[bool]] | None:
        """One transaction, and the next one's mark behind its result.

        Returns what was accepted where a split follows, with the writing of its result.
        """
        try:
            outcome = await self._send(session, flight, following)
        except ClaimLost:
            self._done(flight.delivery)
            return None
        except SlotMissed:
            await self._give_back(flight.delivery)
            await self._turns.missed()
            return None
        if flight.is_follower and _has_not_begun(outcome):
            await self._give_back(flight.delivery)
            return None
        self._turns.count(flight.mail)
        is_split = isinstance(outcome, Accepted) and bool(too_many(outcome.refused))
        if is_split:
            self._lane.hold()
        writing = self._write(flight.tried, self._judged(flight.tried, outcome), flight.mark)
        if following is not None and following.is_out:
            following.flight.is_follower = True
            self._ask_for_mark(following.flight)
        await self._judging.outcome(flight.delivery, outcome, flight.began_in)
        return (outcome, writing) if is_split and isinstance(outcome, Accepted) else None

    async def _send_rest(
        self, flight: Flight, first: Accepted, writing: asyncio.Task[bool]
    ) -> None:
        """Cc and bcc that were too many, once the row itself is on record."""
        try:
            await asyncio.wait([writing])
            if writing.result():
                await self._splitting.send_rest(flight.delivery, flight.mail, first)
        finally:
            self._done(flight.delivery)

    def _judged(self, tried: Try, outcome: Outcome) -> Attempt:
        return verdict(tried, outcome, self._shared.policy, self._shared.clock.time())

    async def _send(self, session: Session, flight: Flight, following: Following | None) -> Outcome:
        may_be_out = False

        async def mark() -> None:
            nonlocal may_be_out
            if flight.mark is None or not await asyncio.shield(flight.mark):
                raise ClaimLost("the claim was taken over")
            may_be_out = True

        check = self._turns.check
        try:
            if following is None:
                result = await session.send(flight.mail, mark, check=check)
            else:
                result = await following.session.send(
                    flight.mail,
                    mark,
                    check=check,
                    follower=following.flight.mail,
                    may_follow=partial(self._may_follow, following.flight),
                )
            return classify.of_result(result, flight.mail.left_out)
        except SessionError as error:
            return classify.of_session_error(error)
        except MessageRefusedLocally as error:
            return classify.of_local_refusal(error)
        except asyncio.CancelledError:
            await asyncio.shield(self._cut(flight.tried, may_be_out=may_be_out))
            if following is not None:
                await asyncio.shield(self._shared.ledger.release([following.flight.delivery]))
            raise

    def _may_follow(self, follower: Flight) -> bool:
        """Take its turn, at the moment its envelope could go out."""
        follower.began_in = self._lane.health.round
        return self._turns.take_now(follower.delivery, follower.mail)

    async def _cut(self, tried: Try, *, may_be_out: bool) -> None:
        """Write down what a cancellation left: past the mark it may be past the dot."""
        if may_be_out:
            attempt = self._judged(tried, InDoubt(reason="interrupted"))
            await self._shared.ledger.record(attempt)
            self._shared.observer.attempted(tried.delivery, attempt)
        else:
            await self._shared.ledger.release([tried.delivery])


def _has_not_begun(outcome: Outcome) -> bool:
    """Whether the session ended before the server took an envelope that was sent ahead.

    It may have had its number of messages, and says so to MAIL: no word on this one.
    """
    if not isinstance(outcome, TransientFailure) or outcome.stage is not Stage.MAIL:
        return False
    is_closing = outcome.reply is not None and outcome.reply.is_closing
    return is_closing or outcome.blame is Blame.SESSION


def _hear(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for where the run ends by another one."""
    if not done.cancelled():
        done.exception()
