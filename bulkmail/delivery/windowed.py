"""A course of whole messages on one session, several on their way at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from bulkmail.delivery import classify
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.ports import WindowedSession
from bulkmail.delivery.results import Results, come_to_its_end, has_had_its_share, has_not_begun
from bulkmail.delivery.supply import Supply
from bulkmail.delivery.turns import SlotMissed, Turns
from bulkmail.errors import MessageRefusedLocally, SessionError
from bulkmail.outcome import Accepted, Outcome
from bulkmail.smtp.reply import Reply

#: Octets that messages on their way on one session hold by themselves, from which on no more are:
#: they stay in memory until they are answered. Large files of each one's own would be hundreds of
#: megabytes.
LADEN_OCTETS = 8 << 20


class WindowedCourse:
    """One worker's, on one session.

    Marks of all that are to go are asked for at once, behind the results that came: one group
    commit for them all. Of one connection no more rows are marked and without a result than its
    window has room for. Those that go next are composed while the server answers. Where nothing
    more may begin, what is on its way is waited for.
    """

    def __init__(
        self,
        session: WindowedSession,
        supply: Supply,
        spend: Callable[[], None],
        *,
        results: Results,
        judging: Judging,
        turns: Turns,
    ) -> None:
        """`spend` is called where the server will take no more on this session."""
        self._session = session
        self._supply = supply
        self._spend = spend
        self._results = results
        self._judging = judging
        self._turns = turns
        #: Handed over, the oldest first.
        self._out: deque[Flight] = deque()
        #: About to be: with a mark that is asked for.
        self._fresh: deque[Flight] = deque()
        #: Those marks, of one after the other; of each, whether it may go.
        self._marks: list[asyncio.Future[Sequence[bool]]] = []
        #: Made ready, and to wait for a turn of its own.
        self._left: Flight | None = None

    async def run(self, first: Flight) -> Flight | None:
        """From the first message, whose turn it is, until none is on its way.

        Returns one that was made ready and has to wait for a turn of its own. After a fault of ours
        nothing more goes out, and what is on its way is waited for.
        """
        self._take_up([first])
        try:
            try:
                await self._fly()
            except Exception:
                while self._out:
                    await self._settle()
                raise
        except asyncio.CancelledError:
            await asyncio.shield(self._cut())
            raise
        finally:
            self._supply.put_back()
        return self._left

    async def _fly(self) -> None:
        while True:
            if self._left is None:
                await self._fill()
            await self._hand_over()
            if not self._out:
                return
            if self._left is None and not self._session.is_answered:
                # What was handed over leaves first.
                await asyncio.sleep(0)
                await self._supply.compose_ahead(self._session.window)
            await self._settle()
            window = self._session.window
            if not (self._out or window):
                # The next session need not wait for what is written of this one.
                return
            await self._results.written(all_but=window)

    def _take_up(self, flights: Sequence[Flight]) -> None:
        self._marks.append(self._results.ask_for_marks(flights))
        self._fresh += flights

    async def _fill(self) -> None:
        """Take up as many as there is room for, until one cannot go this way."""
        while (room := self._room) > 0:
            flights: Sequence[Flight] = self._supply.ready(room, len(self._fresh))
            if not flights:
                flight = await self._supply.next(len(self._fresh))
                if flight is None:
                    return
                flights = (flight,)
            free = self._turns.free_of(flights)
            for flight in flights[:free]:
                flight.is_follower = True
            if free:
                self._take_up(flights[:free])
            if free < len(flights):
                self._left, *others = flights[free:]
                self._supply.give_again(others)
                return

    @property
    def _room(self) -> int:
        """How many more may be on their way; none behind those that hold much by themselves."""
        under_way = [*self._out, *self._fresh]
        # Nearly all messages are small: of the last one it is seen at once.
        if under_way and under_way[-1].takes_time and _own_size(under_way) >= LADEN_OCTETS:
            return 0
        return self._session.window - len(under_way)

    async def _hand_over(self) -> None:
        """Hand over what is fresh, each once its mark is durable."""
        for is_ours in await self._marked():
            flight = self._fresh.popleft()
            if is_ours:
                await self._post(flight)
            else:
                self._results.done(flight.delivery)
        if self._out and self._supply.is_used_up:
            await self._session.leave()
        else:
            await self._session.flush()

    async def _marked(self) -> Sequence[bool]:
        """Of each that is fresh, once that is durable, whether it may go."""
        if not self._marks:
            return ()
        if not self._marks[-1].done():
            # Meanwhile there is nothing else to do.
            for flight in self._fresh:
                self._session.prepare(flight.mail)
        for marks in self._marks:
            if not marks.done():
                await come_to_its_end(marks)
        await self._session.catch_up()
        are_ours = [is_ours for marks in self._marks for is_ours in marks.result()]
        self._marks.clear()
        return are_ours

    async def _post(self, flight: Flight) -> None:
        self._out.append(flight)
        flight.may_be_out = True
        # What is asked as its MAIL goes out.
        check = self._turns.check_free if flight.is_follower else self._turns.check
        try:
            await self._session.post(flight.mail, check=check)
        except SlotMissed:
            await self._unpost(flight)
            await self._results.give_back(flight.delivery)
            await self._turns.missed()
        except MessageRefusedLocally as error:
            await self._unpost(flight)
            await self._conclude(flight, classify.of_local_refusal(error))

    async def _unpost(self, flight: Flight) -> None:
        """Nothing was said of it; what was posted before it goes first."""
        self._out.pop()
        flight.may_be_out = False
        await self._session.flush()

    async def _settle(self) -> None:
        """The oldest one's result, and of those behind it what has come with it."""
        while True:
            if replies := self._session.accepted():
                self._accept(replies)
            else:
                outcome = await self._outcome()
                await self._conclude(self._out.popleft(), outcome)
            if not (self._out and self._session.is_answered):
                return

    def _accept(self, replies: Sequence[Reply]) -> None:
        """Of the oldest each was plainly accepted: there is no more to say of them."""
        flights = [self._out.popleft() for _ in replies]
        now = self._results.accepted(flights, replies)
        self._turns.count(now, *[flight.mail for flight in flights])
        self._judging.accepted(len(flights))

    async def _outcome(self) -> Outcome:
        flight = self._out[0]
        try:
            result = await self._session.settle()
            if self._session.is_in_question:
                return classify.of_a_way_in_question(result)
            return classify.of_result(result, flight.mail.left_out)
        except SessionError as error:
            return classify.of_session_error(error)

    async def _conclude(self, flight: Flight, outcome: Outcome) -> None:
        is_accepted = isinstance(outcome, Accepted)
        if not is_accepted and await self._is_given_back(flight, outcome):
            return
        attempt = self._results.judged(flight.tried, outcome)
        self._turns.count(attempt.at, flight.mail)
        self._results.write((flight.delivery, attempt))
        if is_accepted:
            self._judging.accepted()
        else:
            await self._judging.outcome(flight.delivery, outcome, flight.began_in)

    async def _is_given_back(self, flight: Flight, outcome: Outcome) -> bool:
        """Whether it is as if it had not been tried, as another session or server may take it."""
        if has_had_its_share(outcome):
            self._spend()
        has_begun = not (flight.is_follower and has_not_begun(outcome))
        if has_begun and not self._results.goes_elsewhere(flight.delivery, outcome):
            return False
        await self._results.give_back(flight.delivery)
        return True

    async def _cut(self) -> None:
        """What a cancellation leaves: what was handed over may have arrived."""
        out = len(self._out) - self._session.unsent
        for place, flight in enumerate(self._out):
            await self._results.cut(flight.tried, may_be_out=place < out)
        left = self._left
        for flight in (*self._fresh, *([] if left is None else [left])):
            await self._results.cut(flight.tried, may_be_out=False)


def _own_size(flights: Sequence[Flight]) -> int:
    """Octets that they hold by themselves."""
    return sum(flight.mail.own_size for flight in flights)
