"""The dispatcher: claims deliveries, gives them to lanes (servers), decides when a run is over.

One decision after another, each by what is so at that moment; between them it waits for news. What
is deferred comes back through the ledger when it is due; a resumed run is the same claim again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from bulkmail.delivery.claiming import Claiming
from bulkmail.delivery.elsewhere import ASIDE
from bulkmail.delivery.ending import CANCELLED, PAUSED, Ending, RunResult, RunSettings
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.judging import give_back, learn_of_slowdowns
from bulkmail.delivery.lane import Lane, charge, choose, comes_again, lane_again, share
from bulkmail.delivery.outlook import NOBODY, Outlook
from bulkmail.fate import Delivery, Halt

_DEFERRED = "deferred recipients wait for their next try"
_BY_READER = "recipients wait for their window, or for their next try"


class Dispatcher:
    """What a run does next. It shares lanes and `Engagement` with the workers."""

    def __init__(self, lanes: Sequence[Lane], shared: Engagement, settings: RunSettings) -> None:
        self._lanes = tuple(lanes)
        self._shared = shared
        shared.elsewhere.among(self._lanes)
        self._is_waiting = settings.is_waiting
        self._limit = settings.limit
        self._deferred = _DEFERRED if shared.shut_for is None else _BY_READER
        self._outlook = Outlook(shared.ledger)
        self._claiming = Claiming(shared, self._outlook)
        #: Whether something was in hand when the present look began.
        self._had_in_hand = False
        #: Whether somebody was put aside whom this run, with a limit, had tried.
        self._has_tried_aside = False
        if self._limit is not None:
            shared.tally.tried = {}

    async def run(self) -> RunResult:
        """Decide until the run is over, and what is on the wire has come to its end.

        Raises `LedgerError`.
        """
        await self._shared.ledger.divide(self._shared.gates.groups())
        await learn_of_slowdowns(self._lanes, self._shared)
        result = None
        while result is None:
            self._outlook.look(self._shared.control.listen())
            # Whoever is given back while the ledger is asked may not be in its answers.
            self._had_in_hand = self.in_hand > 0
            result = await self._step()
        self._shared.observer.waiting("", None)
        await self._finish()
        return self._without_those_aside(result)

    def grant(self, recipients: int) -> None:
        """Let a run with a limit take so many more."""
        if self._limit is not None:
            self._limit += recipients
            self._shared.control.wake()

    async def heed(self) -> bool:
        """Look at what a person ordered; whether it says something else than an empty claim."""
        orders = await self._shared.ledger.heed()
        self._shared.control.heed(orders)
        return orders.halt is not None or orders.put_back > 0

    @property
    def in_hand(self) -> int:
        """How many deliveries are in lanes' hands."""
        return sum(lane.in_hand for lane in self._lanes)

    async def _finish(self) -> None:
        """Give back what was not begun; wait for what is on the wire."""
        await self._give_back()
        while self.in_hand:
            self._shared.control.listen()
            await self._shared.control.news()
        for lane in self._lanes:
            await lane.limiter.close()

    def _without_those_aside(self, result: RunResult) -> RunResult:
        """The run's result, where some were left because no server that works could take them."""
        if not self._shared.elsewhere.has_aside:
            return result
        is_short = result.ending is Ending.DONE or (
            # Who was not tried yet is of those that a limited run leaves to the next one.
            result.ending is Ending.LIMIT and self._has_tried_aside
        )
        return self._out_of_servers() if is_short else result

    async def _give_back(self) -> None:
        for lane in self._lanes:
            await give_back(lane, self._shared)

    async def _step(self) -> RunResult | None:
        """One decision: claim for a lane, wait for something, or end the run."""
        now = self._shared.clock.time()
        if not self._shared.control.may_begin:
            return await self._stand_still()
        shut = self._shared.shut_at(now)
        if shut is not None:
            return await self._over() or await self._wait("the sending window is shut", shut)
        lane = choose(self._lanes, now)
        if lane is None:
            return await self._no_lane(now)
        want = min(lane.room(now), share(self._lanes, lane, now), self._left())
        if want <= 0:
            return await self._limit_reached(lane, now)
        claimed = await self._claiming.claim(want, now)
        if not claimed:
            # With something in hand the run goes on, and what was ordered is heard of in time.
            has_orders = not self.in_hand and await self.heed()
            return None if has_orders else await self._nobody_due()
        await self._give(lane, claimed, now)
        return None

    async def _over(self) -> RunResult | None:
        """The run's end, where a shut window keeps nobody back."""
        if self.in_hand:
            return None
        if self._left() <= 0 and not self._shared.tally.due():
            return RunResult(ending=Ending.LIMIT)
        is_anybody_left = await self._shared.ledger.next_due_at() is not None or await self.heed()
        return None if is_anybody_left else RunResult(ending=Ending.DONE)

    async def _stand_still(self) -> RunResult | None:
        """Somebody stopped, cancelled or paused the run."""
        if self._shared.control.is_stopping:
            return RunResult(ending=Ending.INTERRUPTED)
        if self._shared.control.halt is Halt.CANCELLED:
            return RunResult(ending=Ending.CANCELLED, sentence=CANCELLED)
        await self._give_back()
        return await self._wait(PAUSED, None)

    async def _give(self, lane: Lane, claimed: Sequence[Delivery], now: float) -> None:
        self._shared.observer.waiting("", None)
        for (name, is_known), deliveries in groupby(claimed, key=comes_again):
            known = lane_again(self._lanes, name, is_known=is_known, now=now) or lane
            for place, theirs in self._shared.elsewhere.parted(list(deliveries), known, now):
                if isinstance(place, Lane):
                    charge(self._lanes, place, len(theirs), now)
                    place.give(theirs)
                elif place is not None:
                    await self._put_off(theirs, place)
                else:
                    await self._put_aside(theirs)

    async def _put_aside(self, deliveries: Sequence[Delivery]) -> None:
        """Not in this run: who may take them is out of use."""
        await self._shared.ledger.put_under(ASIDE, deliveries)
        self._shared.elsewhere.put_aside(deliveries)
        tried = self._shared.tally.tried or ()
        self._has_tried_aside |= any(delivery.id in tried for delivery in deliveries)
        for delivery in deliveries:
            self._shared.gates.leave(delivery.id)

    async def _put_off(self, deliveries: Sequence[Delivery], until: float) -> None:
        """Not before then: who may take them rests."""
        await self._shared.ledger.postpone(deliveries, until)
        for delivery in deliveries:
            self._shared.gates.leave(delivery.id)
        self._shared.control.wake(until)

    def _left(self) -> int:
        """How many more deliveries may be claimed under the run's limit."""
        if self._limit is None:
            return sys.maxsize
        return self._limit - len(self._shared.tally.tried or ()) - self.in_hand

    async def _limit_reached(self, lane: Lane, now: float) -> RunResult | None:
        """No new recipients: those of this run who wait are tried again, and then it is over."""
        if self.in_hand:
            await self._shared.control.news()
            return None
        waiting = self._shared.tally.due()
        if not waiting:
            return RunResult(ending=Ending.LIMIT)
        first = min(waiting.values())
        if first > now:
            return await self._wait(self._deferred, first)
        due = [id_ for id_, at in waiting.items() if at <= now]
        claimed = await self._claiming.claim(lane.room(now), now, among=due)
        if claimed:
            await self._give(lane, claimed, now)
        elif await self.heed():
            return None
        elif shut := [gate for gate in self._shared.gates.all() if gate.opens_at > now]:
            return await self._wait_for(min(shut, key=lambda gate: gate.opens_at), now)
        else:
            # Suppressed meanwhile, or not ours any more.
            self._shared.tally.settle(due)
        return None

    async def _nobody_due(self) -> RunResult | None:
        now = self._shared.clock.time()
        gates = self._shared.gates.all()
        shut = [gate for gate in gates if gate.opens_at > now]
        # A full group is no reason to look again: whoever leaves it is.
        full = [gate for gate in gates if gate not in shut and not gate.room(now)]
        names = ["", *(gate.name for gate in gates if gate not in shut and gate not in full)]
        scopes = [*names, *(gate.name for gate in shut)]
        await self._outlook.ask(scopes, now)
        due_at = self._outlook.due_at(names)
        next_gate = None
        for gate in sorted(shut, key=lambda gate: gate.opens_at):
            theirs = self._outlook.due_at([gate.name])
            if theirs is not None and theirs > gate.opens_at:
                # Whoever is there is not due yet when it opens.
                due_at = theirs if due_at is None else min(due_at, theirs)
            elif theirs is not None and next_gate is None:
                next_gate = gate
        if next_gate is not None and (due_at is None or next_gate.opens_at < due_at):
            return await self._wait_for(next_gate, now)
        if self._had_in_hand or self.in_hand:
            await self._shared.control.news(due_at)
            return None
        if due_at is None and self._outlook.is_fresh(scopes):
            return RunResult(ending=Ending.DONE)
        if due_at is None or due_at <= now:
            # A run does not end by what was so a moment ago; or somebody was given back between
            # the claim and the question.
            self._outlook.forget()
            return None
        return await self._wait(self._deferred, due_at)

    async def _wait_for(self, gate: Gate, now: float) -> RunResult | None:
        """Wait for a group's turn: a pace is kept, a quota is left where waiting is not wanted."""
        if gate.spent is not None:
            return await self._wait(
                f"{gate.name}: the quota {gate.spent} of these domains is spent", gate.opens_at
            )
        if gate.opens_at - now > NOBODY and not self.in_hand:
            self._shared.observer.waiting(f"{gate.name}: the pace of these domains", gate.opens_at)
        await self._shared.control.news(gate.opens_at)
        return None

    async def _no_server(self, now: float) -> RunResult:
        """Every server is out of use: it matters only to those who are due."""
        due_at = await self._shared.ledger.next_due_at()
        if due_at is None:
            return RunResult(ending=Ending.DONE)
        if due_at > now and not self._is_waiting:
            return RunResult(ending=Ending.WAITING, sentence=self._deferred, until=due_at)
        return self._out_of_servers()

    def _out_of_servers(self) -> RunResult:
        sentences = dict.fromkeys(self._shared.elsewhere.sentences())
        hints = dict.fromkeys(lane.health.hint for lane in self._lanes if lane.health.hint)
        return RunResult(
            ending=Ending.NO_SERVER, sentence="\n".join(sentences), hint="\n".join(hints)
        )

    async def _no_lane(self, now: float) -> RunResult | None:
        """Every lane is full, rests, or is out of use."""
        alive = [lane for lane in self._lanes if not lane.health.is_stopped]
        if not alive and not self.in_hand:
            return await self._no_server(now)
        resting = [lane for lane in alive if lane.health.rests_until > now]
        if self.in_hand or len(resting) < len(alive):
            until = min((lane.health.rests_until for lane in resting), default=None)
            await self._shared.control.news(until)
            return None
        first = min(resting, key=lambda lane: lane.health.rests_until)
        sentence = f"{first.name}: {first.health.sentence}"
        if first.health.is_out_of_quota:
            return await self._wait(sentence, first.health.rests_until)
        self._shared.observer.waiting(sentence, first.health.rests_until)
        await self._shared.control.news(first.health.rests_until)
        return None

    async def _wait(self, sentence: str, until: float | None) -> RunResult | None:
        """Wait until then (None: for news), or leave when waiting is not wanted.

        What is on its way is waited for all the same.
        """
        if self.in_hand:
            await self._shared.control.news(until)
            return None
        if not self._is_waiting:
            return RunResult(ending=Ending.WAITING, sentence=sentence, until=until)
        self._shared.observer.waiting(sentence, until)
        await self._shared.control.news(until)
        return None
