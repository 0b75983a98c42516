"""A worker's turn: a session, at an instant at which every limit lets its message go."""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.limiter import FURTHEST, LONG_WAIT, Busy, QuotaSpent, Shut, Slot, Stopped
from bulkmail.delivery.ports import Session
from bulkmail.errors import BulkmailError, SessionError
from bulkmail.fate import Delivery
from bulkmail.message.mail_object import MailObject
from bulkmail.value_class import value_class

#: Seconds before its slot at which a worker wants to have its session again.
LEAD = 0.5
#: Seconds it may take to open one, as far as that is made up for; a slot that is missed is void.
LONGEST_OPENING = 10.0
#: What is kept of the longest opening so far by each one that was shorter.
OPENING_DECAY = 0.95
#: Seconds before its turn at which a group's next row is claimed and made ready.
EARLY = 0.03


class SlotMissed(BulkmailError):
    """The slot was void by the time MAIL was to go out: nothing was said."""


@value_class
class Behind:
    """The limit of a group of recipient domains is in the way; another message may go meanwhile."""

    gate: Gate


class Turns:
    """Gives a worker its turns on one lane."""

    def __init__(self, lane: Lane, shared: Engagement, judging: Judging) -> None:
        self._lane = lane
        self._shared = shared
        self._judging = judging
        self._slot_in_use: Slot | None = None

    def check(self) -> None:
        """Raise `SlotMissed` where the slot of the last turn is void: called as MAIL goes out."""
        slot = self._slot_in_use
        if slot is not None and self._shared.clock.time() > slot.void_at:
            raise SlotMissed("the slot was void before MAIL went out")

    def has_time(self, seconds: float) -> bool:
        """Whether the slot of the last turn is still of use in so many seconds."""
        slot = self._slot_in_use
        return slot is None or self._shared.clock.time() + seconds <= slot.void_at

    async def missed(self) -> None:
        """The slot of the last turn was not used."""
        if self._slot_in_use is not None:
            await self._lane.limiter.put_back(self._slot_in_use)

    async def next(self, delivery: Delivery, mail: MailObject) -> Session | Behind | None:
        """A session for this message, now; None: not by this server, or not in this run.

        Raises `SessionError` where none can be opened.
        """
        behind = self._shared.gates.of(dict.fromkeys(mail.envelope.forward_paths))
        for gate in behind:
            if not gate.admits(delivery.id):
                # At once: of two that are in one another's way, one has to go.
                self._shared.gates.leave(delivery.id)
                return Behind(gate)
        for gate in behind:
            gate.enter(delivery.id)
        self._slot_in_use = None
        session = await self._acquire()
        while session is not None:
            slot = await self._slot(session, behind)
            if slot is None:
                if self._may_begin(delivery):
                    return session
                await self._lane.transport.release(session)
                return None
            if isinstance(slot, Busy):
                session = await self._another(session, slot.until, FURTHEST)
                continue
            if not isinstance(slot, Slot):
                await self._lane.transport.release(session)
                return await self._without(slot, behind)
            session, is_now = await self._at(slot, session, delivery)
            if is_now:
                return session
        return None

    def take_now(self, delivery: Delivery, mail: MailObject) -> bool:
        """Take the turn of a message that could be handed over at this very moment.

        False: it has to wait for its turn. So has every message to domains under a limit.
        """
        is_limited = bool(self._shared.gates.of(mail.envelope.forward_paths))
        return self._may_begin(delivery) and not is_limited and self._lane.limiter.take_now()

    def is_free(self, flight: Flight) -> bool:
        """Whether a message for one recipient may go among others, ahead of their replies.

        Not where a limit holds it back, nor who was in doubt before: another doubt would hold the
        row, and among others it could be for their sake.
        """
        return self.free_of((flight,)) == 1

    def free_of(self, flights: Sequence[Flight]) -> int:
        """How many of these, from the first one on, are free in that way."""
        shared, gates = self._shared, self._shared.gates
        if not (self._lane.limiter.is_free and self.may_begin):
            return 0
        has_windows, has_gates = shared.shut_for is not None, gates.are_there
        for count, flight in enumerate(flights):
            delivery, mail = flight.tried.delivery, flight.mail
            paths = mail.envelope.forward_paths
            if len(paths) > 1 or delivery.doubts or mail.held_back:
                return count
            if has_windows and shared.opens_for(delivery) is not None:
                return count
            if has_gates and gates.of(paths):
                return count
        return len(flights)

    def take_free(self, flight: Flight) -> bool:
        """Take the turn of a message that no limit holds back; False: it has to wait."""
        if not self.is_free(flight):
            return False
        self._slot_in_use = None
        return True

    def check_free(self) -> None:
        """Raise `SlotMissed` where there are limits by now: called as MAIL goes out."""
        if not self._lane.limiter.is_free:
            raise SlotMissed("a pace was learned before MAIL went out")

    def count(self, now: float, *mails: MailObject) -> None:
        """Messages went out: the meters are told."""
        gates = self._shared.gates
        self._lane.limiter.meter.tick(now, len(mails))
        for mail in mails if gates.are_there else ():
            for gate, recipients in gates.of(mail.envelope.forward_paths).items():
                gate.meter.tick(now, recipients)

    async def _at(
        self, slot: Slot, session: Session | None, delivery: Delivery
    ) -> tuple[Session | None, bool]:
        """The session to go on with, and whether it is now the slot's time.

        A slot that is missed is given back; so is the session, where nothing more may begin.
        """
        if session is not None and slot.opens_at - self._shared.clock.time() > LONG_WAIT:
            try:
                session = await self._another(session, slot.opens_at, slot.furthest)
            except SessionError:
                await self._lane.limiter.put_back(slot)
                raise
        if session is not None and await self._reach(slot, session, delivery):
            self._slot_in_use = slot
            return session, True
        await self._lane.limiter.put_back(slot)
        if session is not None and not self._may_begin(delivery):
            await self._lane.transport.release(session)
            session = None
        return session, False

    @property
    def may_begin(self) -> bool:
        """Whether this server may be given one more message in this run now."""
        shared = self._shared
        if not shared.control.may_begin:
            return False
        if self._lane.health.is_well and shared.shut_until is None:
            # Whatever the time is.
            return True
        now = shared.clock.time()
        return self._lane.health.allowance(now) > 0 and shared.shut_at(now) is None

    def _may_begin(self, delivery: Delivery) -> bool:
        return self.may_begin and self._shared.opens_for(delivery) is None

    def _is_open(self, delivery: Delivery, now: float) -> bool:
        """Whether the window is open, the campaign's and the reader's."""
        shared = self._shared
        return shared.shut_at(now) is None and shared.opens_for(delivery) is None

    async def _slot(
        self, session: Session, behind: dict[Gate, int]
    ) -> Slot | QuotaSpent | Busy | Shut | Stopped | None:
        """When the limits let one message go; where that fails the session is given back."""
        limiter, control = self._lane.limiter, self._shared.control
        try:
            if not behind:
                return await limiter.next(control)
            demands = [gate.demand(recipients) for gate, recipients in behind.items()]
            slot = await limiter.together(control, demands)
        except BaseException:
            await self._lane.transport.release(session)
            raise
        if isinstance(slot, Slot):
            for gate, recipients in behind.items():
                gate.used(slot.opens_at, recipients, early=EARLY)
        return slot

    async def _without(
        self, slot: QuotaSpent | Shut | Stopped, behind: dict[Gate, int]
    ) -> Behind | None:
        """There is no slot: who is told, and who is waited for."""
        match slot:
            case QuotaSpent():
                await self._judging.quota_spent(slot)
            case Shut():
                (gate,) = [gate for gate in behind if gate.scope == slot.scope]
                gate.shut(slot.again_at - EARLY, slot.spent)
                return Behind(gate)
            case Stopped():
                pass
        return None

    async def _acquire(self) -> Session | None:
        """A session; None where the run is to stop: a server that is silent is not waited for."""
        began = self._shared.clock.monotonic()
        try:
            async with self._shared.control.until_stop():
                session = await self._lane.transport.acquire()
        except SessionError:
            raise
        except TimeoutError:
            return None
        took = self._shared.clock.monotonic() - began
        longest = max(took, OPENING_DECAY * self._lane.opening_seconds)
        self._lane.opening_seconds = min(longest, LONGEST_OPENING)
        return session

    async def _another(self, session: Session, until: float, furthest: float) -> Session | None:
        """A session for then, which is far: until shortly before, none is held."""
        await self._lane.transport.release(session)
        lead = LEAD + self._lane.opening_seconds
        going_on = await self._shared.control.pause(until - lead, furthest=furthest)
        return await self._acquire() if going_on else None

    async def _reach(self, slot: Slot, session: Session, delivery: Delivery) -> bool:
        """Wait for the slot. False: it is void, or the run is stopping, or the clock was set back.

        By a clock that was set back it is of a time that the ledger counts anew.
        """
        try:
            going_on = await self._shared.control.pause(slot.opens_at, furthest=slot.furthest)
        except BaseException:
            await self._lane.transport.release(session)
            raise
        now = self._shared.clock.time()
        is_now = slot.opens_at <= now <= slot.void_at
        return going_on and is_now and self._is_open(delivery, now)
