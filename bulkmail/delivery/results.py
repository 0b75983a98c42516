"""What becomes of a worker's deliveries: marks, results, and claims given back."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.verdict import Try, accepted, verdict
from bulkmail.delivery.watching import teller_of_tries
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.outcome import Accepted, Blame, Failure, InDoubt, Outcome, TransientFailure
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage

T = TypeVar("T")


class Results:
    """One worker's road to the ledger.

    A result is written while other messages are under way: the ledger is first in, first out, so
    a mark that is asked for behind it is durable only behind it, and both travel in one group
    commit. From the moment it is known a result is written whatever becomes of the worker: what a
    server has said is never in doubt for want of a moment to write it down.
    """

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared
        #: What is being written, each time of how many.
        self._writing: deque[tuple[asyncio.Future[Sequence[bool]], int]] = deque()
        self._unwritten = 0
        self._tell_of = teller_of_tries(shared.observer)
        #: Marked, in the worker's hands, and of no known result.
        self._marked: dict[int, Flight] = {}

    async def written(self, *, all_but: int = 0) -> None:
        """Wait until results are in the ledger, but for the last so many. A wait cuts none off."""
        while self._unwritten > all_but:
            writing, _ = self._writing[0]
            if not writing.done():
                await come_to_its_end(writing)
            _, count = self._writing.popleft()
            self._unwritten -= count
            writing.result()

    def done(self, *deliveries: Delivery, due_at: float = 0.0) -> None:
        """They left the worker's hands until then (epoch seconds); infinity: for good."""
        for delivery in deliveries:
            self._marked.pop(delivery.id, None)
        self._gone(deliveries, due_at)

    def _gone(self, deliveries: Sequence[Delivery], due_at: float) -> None:
        gates = self._shared.gates
        if gates.are_there:
            for delivery in deliveries:
                gates.leave(delivery.id)
        self._lane.done(len(deliveries))
        self._shared.control.wake(due_at)

    def write(
        self, *tried: tuple[Delivery, Attempt], may_wait: bool = False
    ) -> asyncio.Future[Sequence[bool]]:
        """Have results written as one, behind their marks; of each, whether the claim was ours."""
        deliveries, attempts = zip(*tried, strict=True)
        self._shared.elsewhere.settled(deliveries)
        for delivery in deliveries:
            self._marked.pop(delivery.id, None)
        writing = _future(self._shared.ledger.record_all(attempts, may_wait=may_wait))
        writing.add_done_callback(partial(self._written, tried, deliveries))
        self._writing.append((writing, len(tried)))
        self._unwritten += len(tried)
        return writing

    def _written(
        self,
        tried: Sequence[tuple[Delivery, Attempt]],
        deliveries: Sequence[Delivery],
        writing: asyncio.Future[Sequence[bool]],
    ) -> None:
        due_at = 0.0
        try:
            # An error is raised where it is waited for, unless the run ends by another one.
            if not writing.cancelled() and writing.exception() is None:
                due_at = _due_at(tried)
                self._tell(tried, writing.result())
        finally:
            self._gone(deliveries, due_at)

    def _tell(self, tried: Sequence[tuple[Delivery, Attempt]], are_ours: Sequence[bool]) -> None:
        """Tell who watches what is in the ledger."""
        tally = self._shared.tally
        if not all(are_ours):
            told = []
            for (delivery, attempt), is_ours in zip(tried, are_ours, strict=True):
                if is_ours:
                    told.append((delivery, attempt))
                elif attempt.state is not State.PENDING:
                    # Another run has the row by now: under this one's limit it was tried all the
                    # same.
                    tally.settle([delivery.id])
            tried = told
        tally.book(*[attempt for _, attempt in tried])
        self._tell_of(tried)

    async def give_back(self, *deliveries: Delivery) -> None:
        """Untried: they are claimed again."""
        await self._shared.ledger.release(deliveries)
        self.done(*deliveries)

    def goes_elsewhere(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Whether it is to be given back, as another server may take what this one cannot."""
        return self._shared.elsewhere.may_go(delivery.id, self._lane, outcome)

    async def put_off(self, delivery: Delivery, until: float) -> None:
        """Untried, and not before then (epoch seconds)."""
        await self._shared.ledger.postpone([delivery], until)
        self.done(delivery, due_at=until)

    async def put_behind(self, delivery: Delivery, gate: Gate) -> None:
        """Untried, and claimed again when a group's limit has time, be it for a cc of it."""
        await self._shared.ledger.put_under(gate.name, [delivery])
        self.done(delivery)

    def ask_for_mark(self, flight: Flight, *, may_wait: bool = False) -> None:
        """Asked for now, awaited before the end of data: it is durable while the server answers."""
        tried, ledger = flight.tried, self._shared.ledger
        asked = ledger.mark(tried.delivery, tried.started_at, flight.digests, may_wait=may_wait)
        flight.mark = _future(asked)
        self._marked[tried.delivery.id] = flight

    async def marked(self, flight: Flight) -> bool:
        """Wait for its mark: whether it may go."""
        if flight.mark is None:
            raise AssertionError("its mark is asked for before it is handed over")
        if not flight.mark.done():
            if flight.takes_time:
                self._shared.ledger.hurry()
            await come_to_its_end(flight.mark)
        return flight.mark.result()

    def ask_for_marks(self, flights: Sequence[Flight]) -> asyncio.Future[Sequence[bool]]:
        """The same of several as one; of each, whether it may go."""
        asked = []
        for flight in flights:
            tried = flight.tried
            asked.append((tried.delivery, tried.started_at, flight.digests))
            self._marked[tried.delivery.id] = flight
        return _future(self._shared.ledger.mark_all(asked))

    def judged(self, tried: Try, outcome: Outcome) -> Attempt:
        """What is written for an outcome now."""
        return verdict(tried, outcome, self._shared.policy, self._shared.clock.time())

    def accepted(self, flights: Sequence[Flight], replies: Sequence[Reply]) -> float:
        """Have it written that these messages were plainly accepted; when (epoch seconds).

        Each by its reply.
        """
        now = self._shared.clock.time()
        tried = []
        for flight, reply in zip(flights, replies, strict=True):
            outcome = Accepted(reply=reply, left_out=flight.mail.left_out)
            attempt = accepted(flight.tried, outcome, now)
            tried.append((flight.tried.delivery, attempt))
        self.write(*tried)
        return now

    async def cut(self, tried: Try, *, may_be_out: bool) -> None:
        """Write down what a cancellation left: past the mark it may be past the dot."""
        if may_be_out:
            attempt = self.judged(tried, InDoubt(reason="interrupted"))
            await self._shared.ledger.record(attempt)
            self._tell_of([(tried.delivery, attempt)])
        else:
            await self._shared.ledger.release([tried.delivery])

    async def take_back_marks(self) -> None:
        """A cancelled worker's last act: what is marked, and surely not out, is as it was before.

        What may be out is not touched: whoever handed it over writes down what it came to.
        """
        unsaid = [flight.delivery for flight in self._marked.values() if not flight.may_be_out]
        if unsaid:
            await self._shared.ledger.release(unsaid)


def has_not_begun(outcome: Outcome) -> bool:
    """Whether the session ended before the server took an envelope that was sent ahead.

    It may have had its number of messages, and says so to MAIL: no word on this one.
    """
    if not isinstance(outcome, TransientFailure) or outcome.stage is not Stage.MAIL:
        return False
    is_closing = outcome.reply is not None and outcome.reply.code == 421  # noqa: PLR2004  # RFC 5321
    return is_closing or outcome.blame is Blame.SESSION


def has_had_its_share(outcome: Outcome) -> bool:
    """Whether a server will take no more on this session, whether or not it closes it.

    What it has against us at MAIL may be this session as well, in whatever words: a new one will
    tell.
    """
    if not isinstance(outcome, Failure):
        return False
    is_at_mail = outcome.stage is Stage.MAIL and outcome.blame is Blame.SERVER
    return is_at_mail or outcome.blame is Blame.SESSION


def _due_at(tried: Sequence[tuple[Delivery, Attempt]]) -> float:
    """From when on one of them may be due again, by what was written; infinity: never."""
    first = math.inf
    for _, attempt in tried:
        state, due_at = attempt.state, attempt.due_at
        if due_at is not None and due_at < first:
            first = due_at
        elif state is State.PENDING or state is State.DEFERRED:
            first = 0.0 if due_at is None else first
    return first


async def come_to_its_end(future: asyncio.Future[Any]) -> None:
    """Wait for a future, whatever comes of it; a wait that is cut short does not end it."""
    if not future.done():
        end = future.get_loop().create_future()
        future.add_done_callback(partial(_end, end))
        await end


def _end(end: asyncio.Future[None], _: asyncio.Future[Any]) -> None:
    if not end.done():
        end.set_result(None)


def _future(asked: Awaitable[T]) -> asyncio.Future[T]:
    """What was asked of the ledger, as a future; an error of it is told where it is waited for."""
    if isinstance(asked, asyncio.Future):
        future: asyncio.Future[T] = asked
    else:
        future = asyncio.ensure_future(asked)
        future.add_done_callback(_hear)
    return future


def _hear(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for where the run ends by another one."""
    if not done.cancelled():
        done.exception()
