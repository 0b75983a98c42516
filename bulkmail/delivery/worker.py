"""One worker: takes deliveries from its lane and hands them over, each behind the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

from bulkmail.delivery.engagement import Compose, Engagement, ShutUntil, Tally
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.handover import Following, Handover, Split
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Session
from bulkmail.delivery.preparing import Preparing, Settled
from bulkmail.delivery.results import Results, come_to_its_end
from bulkmail.delivery.splitting import Splitting
from bulkmail.delivery.supply import Supply
from bulkmail.delivery.turns import Behind, Turns
from bulkmail.delivery.windowed import WindowedCourse
from bulkmail.errors import LedgerError, SessionError
from bulkmail.fate import Delivery
from bulkmail.outcome import Accepted

__all__ = ["Compose", "Engagement", "ShutUntil", "Tally", "Worker"]

#: Messages that are composed in a row where the content of each takes its time: behind megabytes
#: the processor has forgotten how it is done, and the first of a row takes twice as long.
TOGETHER = 8
#: Seconds that one of them takes at most: a row of letters that are made of PDFs would have the
#: server wait for all of them.
BRISK = 0.05
#: What is kept of the longest composing so far by each one that was shorter.
_COMPOSING_DECAY = 0.9


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
        self._handover = Handover(lane, shared, self._results, self._turns, self._judging)
        self._pipelined = lane.pipelined
        #: Results that may be unwritten where the next message is made ready.
        self._unwritten = 1 if self._pipelined is None else self._pipelined.depth
        #: Seconds that composing a message took, as of late.
        self._composing = 0.0

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
            began = shared.clock.monotonic()
            ready = await self._preparing.ready(delivery)
            took = shared.clock.monotonic() - began
            self._composing = max(took, _COMPOSING_DECAY * self._composing)
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
        if not first.is_follower and not self._turns.has_time(self._composing):
            # The first would miss its slot, and so each time that it has one.
            return None
        if first.takes_time and self._lane.limiter.is_free and self._composing <= BRISK:
            # Under a limit the first has its slot, which would be void when all are composed.
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
                split = await self._handover.hand_over(session, flight, following, supply)
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
