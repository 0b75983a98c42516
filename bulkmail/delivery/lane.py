"""A lane: one server in this run, with its limits, its health and its backlog."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Sequence

from bulkmail.clock import Clock
from bulkmail.delivery.health import Health
from bulkmail.delivery.ledger_port import Ledger
from bulkmail.delivery.limiter import Limiter
from bulkmail.delivery.ports import Pipelined, Terms, Transport
from bulkmail.delivery.refusals import Verdicts
from bulkmail.fate import Delivery
from bulkmail.settings import StopSettings

#: Deliveries claimed ahead for each connection: enough that no worker waits for the ledger, few
#: enough that a stop has little to give back.
AHEAD = 8
#: Such a part of what may be in a lane's hands is claimed at once.
SHARE = 4
#: So many above what a lane may be given wait for it at most, of those that no other may have.
PILE = 1000
#: Tries behind which who is greylisted goes by another server than the last one. With the usual
#: back-off half an hour has gone by: longer than greylisting takes.
PATIENT_TRIES = 6


class Lane:
    """What the engine knows of one server."""

    def __init__(
        self,
        transport: Transport,
        settings: Terms,
        ledger: Ledger,
        clock: Clock,
        *,
        is_patient: bool,
        stop_after: StopSettings | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self.transport = transport
        self.settings = settings
        #: The server's name.
        self.name = settings.name
        self.health = Health(
            settings.connections, is_patient=is_patient, stop_after=stop_after, verdicts=verdicts
        )
        self.limiter = Limiter(ledger, settings.name, settings.rates, clock)
        self._ahead = AHEAD
        #: The transport again, where its sessions have messages ahead of their replies.
        self.pipelined = transport if isinstance(transport, Pipelined) else None
        if self.pipelined is not None:
            # On their way, composed meanwhile, and to be composed before the next are claimed.
            self._ahead += 3 * self.pipelined.depth
        self._backlog: deque[Delivery] = deque()
        self._arrival = asyncio.Event()
        #: Recipients that it takes in one transaction, as it was seen; None: all there are.
        self.most_recipients: int | None = None
        #: Workers that hold a delivery, and a connection or the wish for one.
        self.at_work = 0
        #: Deliveries in its hands: in the backlog or with a worker.
        self.in_hand = 0
        #: What was told of it last: why it is not used; "" while it is.
        self.told = ""
        #: How long it takes to get a session, as of late: they are asked for so much earlier.
        self.opening_seconds = 0.0
        #: Credit of the smooth weighted round robin.
        self.credit = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits in its backlog."""
        return not self._backlog

    @property
    def is_piled_up(self) -> bool:
        """Whether more wait for it than memory should hold: it was given whom others cannot take.

        They are given to it whether or not it has room, while whoever cannot take them has.
        """
        return self.in_hand > self.settings.connections * self._ahead + PILE

    def room(self, now: float) -> int:
        """How many more deliveries it may be given at `now`."""
        allowance = self.health.allowance(now)
        # Half-open or just started: one delivery a connection, nothing piled up behind.
        ahead = self._ahead if allowance == self.health.connections else 1
        room = allowance * ahead - self.in_hand
        # A claim for each that leaves would be as much work as sending it.
        is_worth_it = room >= allowance * ahead // SHARE
        return room if is_worth_it else 0

    def give(self, deliveries: Sequence[Delivery]) -> None:
        """Put claimed deliveries into its backlog."""
        self.in_hand += len(deliveries)
        self._backlog.extend(deliveries)
        self._arrival.set()

    async def next(self) -> Delivery:
        """The next delivery of the backlog, once the server has a connection to spare.

        Whoever takes it calls `done` for it, and `leave` when it has no more to do.
        """
        while not self._backlog or self.at_work >= self.health.connections:
            self._arrival.clear()
            await self._arrival.wait()
        self.at_work += 1
        return self._backlog.popleft()

    def leave(self) -> None:
        """A worker's connection is free for another."""
        self.at_work -= 1
        if self._backlog:
            self._arrival.set()

    def next_now(self) -> Delivery | None:
        """The next delivery, as `next` gives it; None where there is none at the moment."""
        return self._backlog.popleft() if self._backlog else None

    def next_of_many(self) -> Delivery | None:
        """The same, where so many wait that every connection has one more."""
        is_many = len(self._backlog) > self.health.connections
        return self._backlog.popleft() if is_many else None

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Deliveries that were taken come before what waits: nothing was done with them."""
        self._backlog.extendleft(reversed(deliveries))
        if deliveries:
            self._arrival.set()

    def learn_most_recipients(self, most: int) -> None:
        """It refused more than so many at once. Of what several workers saw the least holds."""
        self.most_recipients = min(most, self.most_recipients or most)

    def hold(self) -> None:
        """A delivery in its hands is in there twice: more is to be done behind its result."""
        self.in_hand += 1

    def done(self, deliveries: int = 1) -> None:
        """A delivery has left its hands, or so many have."""
        self.in_hand -= deliveries

    def drain(self) -> list[Delivery]:
        """Take everything out of the backlog: to be given back to the ledger."""
        drained = [*self._backlog]
        self._backlog.clear()
        self.in_hand -= len(drained)
        return drained


def choose(lanes: Sequence[Lane], now: float) -> Lane | None:
    """The lane that gets the next deliveries; None: nobody can take any at `now`.

    In order of preference, a later server is used only when the earlier ones rest or are stopped.
    With weights, the shares follow them (smooth weighted round robin): whose turn it is is waited
    for, or the quicker server would get more than its share.
    """
    usable = _usable(lanes, now)
    if not usable or any(lane.is_piled_up for lane in usable):
        # More might be claimed only to wait for that one.
        return None
    first = usable[0]
    if first.settings.weight is not None:
        first = max(usable, key=lambda lane: lane.credit)
    return first if first.room(now) else None


def comes_again(delivery: Delivery) -> tuple[str | None, bool]:
    """The server that asked to come again, if one did, and whether it is to be the next one."""
    return delivery.greylisted_by, delivery.attempts < PATIENT_TRIES


def lane_again(
    lanes: Sequence[Lane], name: str | None, *, is_known: bool, now: float
) -> Lane | None:
    """The lane for those of `comes_again`; None: as for all others.

    Who asked to come again knows us by now, and another server would begin anew. But in the end all
    are to be asked, each in its turn.
    """
    place = next((place for place, lane in enumerate(lanes) if lane.name == name), None)
    if place is None:
        return None
    asked = [lanes[place]] if is_known else [*lanes[place + 1 :], *lanes[:place]]
    return next(iter(_usable(asked, now)), None)


def share(lanes: Sequence[Lane], chosen: Lane, now: float) -> int:
    """How many deliveries in a row are `chosen`'s before it is another lane's turn."""
    weight = chosen.settings.weight
    usable = _usable(lanes, now)
    others = [lane for lane in usable if lane is not chosen]
    if weight is None or not others:
        return sys.maxsize
    total = _total(usable)

    def until(lane: Lane) -> int:
        # Each delivery costs `chosen` the total, and gives every lane its weight.
        gap = total - weight + (lane.settings.weight or 0)
        return (chosen.credit - lane.credit) // gap + 1

    return min(until(lane) for lane in others)


def charge(lanes: Sequence[Lane], chosen: Lane, count: int, now: float) -> None:
    """Book `count` deliveries to `chosen`: with weights, the others' credit grows.

    Not that of a server that rests: what went by it is not owed to it.
    """
    usable = _usable(lanes, now)
    for lane in usable:
        lane.credit += (lane.settings.weight or 0) * count
    chosen.credit -= _total(usable) * count


def _usable(lanes: Sequence[Lane], now: float) -> list[Lane]:
    return [lane for lane in lanes if lane.health.allowance(now)]


def _total(lanes: Sequence[Lane]) -> int:
    return sum(lane.settings.weight or 0 for lane in lanes)
