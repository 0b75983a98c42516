"""One worker: takes deliveries from its lane and hands them over, each behind the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from bulkmail.delivery import classify
from bulkmail.delivery.engagement import Compose, Engagement, ShutUntil, Tally
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import FollowedSession, Session
from bulkmail.delivery.preparing import Preparing, Settled
from bulkmail.delivery.results import Results, come_to_its_end, has_had_its_share, has_not_begun
from bulkmail.delivery.splitting import Splitting, most_at_once, too_many
from bulkmail.delivery.supply import Supply
from bulkmail.delivery.turns import Behind, SlotMissed, Turns
from bulkmail.delivery.windowed import WindowedCourse
from bulkmail.errors import BulkmailError, LedgerError, MessageRefusedLocally, SessionError
from bulkmail.fate import Delivery
from bulkmail.outcome import Accepted, Outcome
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.value_class import value_class

__all__ = ["ClaimLost", "Compose", "Engagement", "ShutUntil", "Tally", "Worker"]


#: Octets of a message up to which the next one is taken to be composed in no time. Files and PDFs
#: take long, and for as long nobody hears the server's answer: a crash would leave it in doubt.
QUICK = 16_384
#: Messages that are composed in a row where the content of each takes its time: behind megabytes
#: the processor has forgotten how it is done, and the first of a row takes twice as long.
TOGETHER = 8


#: What was accepted of a message that is split, and the writing of that.
Split: TypeAlias = tuple[Accepted, "asyncio.Future[Sequence[bool]]"]


class ClaimLost(BulkmailError):
    """The row was taken over while this process was paused past its lease: nothing was sent."""


@value_class
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

    Where whole messages may go ahead of their replies they do (`WindowedCourse`). No session is
    held where nothing follows. Of one connection at most one row is marked and without a result:
    the next mark is asked for behind the result.
    """

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared
        self._judging = Judging(lane, shared)
        self._results = Results(lane, shared)
        self._turns = Turns(lane, shared, self._judging)
        self._splitting = Splitting(lane, shared, self._turns)
        self._preparing = Preparing(lane, shared)
        self._pipelined = lane.pipelined
        #: Results that may be unwritten where the next message is made ready.
        self._unwritten = 1 if self._pipelined is None else self._pipelined.depth

    async def run(self) -> None:
        """Work until cancelled. What the ledger raises ends it; results are written first."""
        try:
            while True:
                if self._lane.is_idle:
                    await self._results.written()
                delivery = await self._lane.next()
                try:
                    flight = await self._ready(delivery)
                    while flight is not None:
                        flight = await self._course(flight)
                finally:
                    self._lane.leave()
                await self._results.written(all_but=self._unwritten)
        except asyncio.CancelledError:
            # A cut may come while the next one is made ready, behind whom nothing is on the wire.
            await asyncio.shield(self._results.take_back_marks())
            raise
        except Exception:
            # So may a fault of ours, and nothing that comes meanwhile hides it.
            with contextlib.suppress(asyncio.CancelledError, LedgerError):
                await self._results.take_back_marks()
            raise
        finally:
            await self._results.written()

    async def _ready(self, delivery: Delivery) -> Flight | None:
        """A delivery's flight; None: it has its result already, or was given back."""
        try:
            if not self._turns.may_begin:
                await self._results.give_back(delivery)
                return None
        except BaseException:
            self._results.done(delivery)
            raise
        return await self._made(delivery)

    async def _made(self, delivery: Delivery) -> Flight | None:
        """The same for one that may begin."""
        try:
            shared = self._shared
            # Most campaigns have no such window.
            opens_at = None if shared.shut_for is None else shared.opens_for(delivery)
            if opens_at is not None:
                await self._results.put_off(delivery, opens_at)
                return None
            ready = await self._preparing.ready(delivery)
        except BaseException:
            self._results.done(delivery)
            raise
        if isinstance(ready, Settled):
            self._results.write((ready.tried.delivery, ready.attempt))
            return None
        return ready

    def _supply(self, session: Session) -> Supply | None:
        """What could go behind others on this session; None: its kind takes nothing ahead."""
        if self._pipelined is None:
            return None
        return Supply(session, self._pipelined, self._lane, self._turns, self._made)

    async def _following(
        self, session: Session, first: Flight, supply: Supply | None
    ) -> Following | None:
        """Who could ride behind the message that is under way; nobody is waited for."""
        followed = None if self._pipelined is None else self._pipelined.followed(session)
        if followed is None or supply is None or first.mail.held_back:
            # Who is held back is sent to next, on a session that has to be free for them.
            return None
        if first.takes_time:
            await supply.compose_row(TOGETHER)
        flight = await supply.next(0 if first.is_follower else 1)
        return None if flight is None else Following(followed, flight)

    def _windowed(
        self, session: Session, flight: Flight, supply: Supply | None
    ) -> WindowedCourse | None:
        """A course of whole messages, where this server and this message allow it."""
        is_free = self._turns.is_free(flight)
        if self._pipelined is None or supply is None or not is_free:
            return None
        if (windowed := self._pipelined.windowed(session)) is None:
            return None
        return WindowedCourse(
            windowed,
            supply,
            partial(self._pipelined.spend, session),
            results=self._results,
            judging=self._judging,
            turns=self._turns,
        )

    async def _course(self, flight: Flight) -> Flight | None:
        """Hand messages over on one session, while the next one can follow.

        Returns one that was made ready and could not: it waits for a turn of its own.
        """
        session = await self._turn(flight)
        if session is None:
            return None
        flight.board(session)
        split: Split | None = None
        try:
            supply = self._supply(session)
            if (windowed := self._windowed(session, flight, supply)) is not None:
                return await windowed.run(flight)
            while True:
                if flight.mark is None:
                    self._results.ask_for_mark(flight)
                following = await self._following(session, flight, supply)
                split = await self._hand_over(session, flight, following, supply)
                is_over = split is not None or self._lane.health.is_stopped
                if following is None and not is_over:
                    left, is_next = await self._behind(session, supply)
                else:
                    # Of who is out where the server's use has ended, it is the envelope alone.
                    left = None if following is None else following.flight
                    is_next = following is not None and following.is_out and not is_over
                if left is None or not is_next:
                    break
                flight = left
                await self._results.written(all_but=1)
        finally:
            if supply is not None:
                supply.put_back()
            await self._lane.transport.release(session)
        if split is not None:
            await self._send_rest(flight, *split)
        if supply is not None:
            supply.raise_fault()
        return left

    async def _behind(self, session: Session, supply: Supply | None) -> tuple[Flight | None, bool]:
        """Who comes next where nobody rode behind, and whether on this session, at once."""
        if supply is None or self._pipelined is None or not self._pipelined.is_free(session):
            return None, False
        # To compose takes time, in which the server may have closed.
        is_at_once = supply.has_ready
        flight = await supply.next(0)
        if flight is None or not (is_at_once or self._pipelined.is_free(session)):
            return flight, False
        return flight, self._turns.take_free(flight)

    async def _turn(self, flight: Flight) -> Session | None:
        """A session, at an instant at which this message may go; None: it was given back."""
        flight.began_in = self._lane.health.round
        delivery = flight.delivery
        try:
            session = await self._turns.next(delivery, flight.mail)
        except SessionError as error:
            await self._results.give_back(delivery)
            await self._judging.no_session(error, flight.began_in)
            return None
        if isinstance(session, Behind):
            await self._results.put_behind(delivery, session.gate)
            return None
        if session is None:
            await self._results.give_back(delivery)
        return session

    async def _hand_over(
        self,
        session: Session,
        flight: Flight,
        following: Following | None,
        supply: Supply | None,
    ) -> Split | None:
        """One transaction, and the next one's mark behind its result.

        Returns what was accepted where a split follows, with the writing of its result.
        """
        try:
            outcome = await self._send(session, flight, following, supply)
        except ClaimLost:
            self._results.done(flight.delivery)
            return None
        except SlotMissed:
            await self._results.give_back(flight.delivery)
            await self._turns.missed()
            return None
        follower = following.flight if following is not None and following.is_out else None
        if follower is not None:
            follower.is_follower = True
        is_accepted = isinstance(outcome, Accepted)
        if not is_accepted and await self._is_given_back(session, flight, outcome):
            return None
        attempt = self._results.judged(flight.tried, outcome)
        self._turns.count(attempt.at, flight.mail)
        if (split := _split_of(outcome)) is not None:
            self._lane.hold()
        # Both are one commit whenever that is: of the two rows one is marked and without a result.
        may_wait = follower is not None and follower.takes_time
        writing = self._results.write((flight.tried.delivery, attempt), may_wait=may_wait)
        if follower is not None:
            self._results.ask_for_mark(follower, may_wait=may_wait)
        if is_accepted:
            self._judging.accepted()
        else:
            await self._judging.outcome(flight.delivery, outcome, flight.began_in)
        return None if split is None else (split, writing)

    async def _is_given_back(self, session: Session, flight: Flight, outcome: Outcome) -> bool:
        """Whether it is as if it had not been tried, as another session or server may take it."""
        if self._pipelined is not None and has_had_its_share(outcome):
            self._pipelined.spend(session)
        has_begun = not (flight.is_follower and has_not_begun(outcome))
        is_word_on_it = has_begun and not flight.is_too_wide
        if is_word_on_it and not self._results.goes_elsewhere(flight.delivery, outcome):
            return False
        await self._results.give_back(flight.delivery)
        return True

    async def _send_rest(
        self, flight: Flight, first: Accepted, writing: asyncio.Future[Sequence[bool]]
    ) -> None:
        """Cc and bcc that were too many, once the row itself is on record."""
        try:
            await come_to_its_end(writing)
            if all(writing.result()):
                await self._splitting.send_rest(flight.delivery, flight.mail, first)
        finally:
            self._results.done(flight.delivery)

    async def _send(
        self,
        session: Session,
        flight: Flight,
        following: Following | None,
        supply: Supply | None,
    ) -> Outcome:
        async def mark() -> None:
            if not await self._results.marked(flight):
                raise ClaimLost("the claim was taken over")
            flight.may_be_out = True

        check = self._turns.check
        is_quick = flight.mail.size <= QUICK
        meanwhile = supply.compose_next if supply is not None and is_quick else None
        try:
            if following is None:
                result = await session.send(flight.mail, mark, check=check, meanwhile=meanwhile)
            else:
                result = await following.session.send(
                    flight.mail,
                    mark,
                    check=check,
                    follower=following.flight.mail,
                    may_follow=partial(self._may_follow, following.flight),
                    meanwhile=meanwhile,
                )
            if isinstance(result, TransactionResult) and (most := most_at_once(result)):
                self._lane.learn_most_recipients(most)
                flight.is_too_wide = True
            return classify.of_result(result, flight.mail.left_out, flight.mail.held_back)
        except SessionError as error:
            return classify.of_session_error(error)
        except MessageRefusedLocally as error:
            await self._turns.missed()
            return classify.of_local_refusal(error)
        except asyncio.CancelledError:
            await asyncio.shield(self._results.cut(flight.tried, may_be_out=flight.may_be_out))
            if following is not None:
                await asyncio.shield(self._shared.ledger.release([following.flight.delivery]))
            raise

    def _may_follow(self, follower: Flight) -> bool:
        """Take its turn, at the moment its envelope could go out."""
        follower.began_in = self._lane.health.round
        return self._turns.take_now(follower.delivery, follower.mail)


def _split_of(outcome: Outcome) -> Accepted | None:
    """What was accepted, where others of its cc and bcc were too many for one transaction."""
    if isinstance(outcome, Accepted) and outcome.refused and too_many(outcome.refused):
        return outcome
    return None
