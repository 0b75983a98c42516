"""What a try says of its server: trust, rests, slow-downs, and the end of its use."""

from __future__ import annotations

import re

from bulkmail.delivery.classify import overload_of
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.gates import PREFIX
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.limiter import QuotaSpent
from bulkmail.errors import AuthenticationFailed, SessionError, TlsFailed
from bulkmail.fate import Delivery
from bulkmail.outcome import (
    Accepted,
    Blame,
    Failure,
    InDoubt,
    Outcome,
    Overload,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.smtp.stage import Stage

#: What is said to one connection too many.
_CONNECTIONS = re.compile(r"connections|sessions|concurren", re.IGNORECASE)
#: Login wanted, refused or too weak (RFC 4954, 6): the account's, and the same for everybody.
_LOGIN_CODES = frozenset({530, 534, 535, 538})


class Judging:
    """Tells one lane's health and pace what its workers learn."""

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared

    def accepted(self, messages: int = 1) -> None:
        """So many were accepted: the plain course of things, of which there is little to tell."""
        health = self._lane.health
        health.accepted(messages)
        if self._lane.told and not health.sentence:
            self._tell("")

    async def outcome(self, delivery: Delivery, outcome: Outcome, began_in: int) -> None:
        """A transaction came to this; it began in that round of the lane's health."""
        if isinstance(outcome, Accepted):
            self.accepted()
            return
        health = self._lane.health
        if isinstance(outcome, Failure) and outcome.overload is not None:
            await self._slow_down(outcome.overload, delivery, outcome.reason)
        match outcome:
            case PermanentFailure(ends_use=True):
                health.stop(outcome.reason)
            case PermanentFailure(blame=Blame.MESSAGE):
                health.refused_message(outcome.reason)
            case TransientFailure(blame=Blame.SERVER, retry_after=float(seconds)):
                health.rest(self._shared.clock.time() + seconds, outcome.reason)
            case TransientFailure(blame=Blame.SESSION | Blame.SERVER) | InDoubt():
                self._failed(outcome.reason, began_in)
            case PermanentFailure(blame=Blame.SERVER, reply=reply) if reply is not None:
                if reply.code in _LOGIN_CODES:
                    health.stop(outcome.reason)
                else:
                    self._failed(outcome.reason, began_in)
            case _ if outcome.stage is not None:
                health.succeeded()
        await self._after_failure()

    async def no_session(self, error: SessionError, began_in: int) -> None:
        """No session could be opened."""
        if isinstance(error, AuthenticationFailed) and not error.is_transient:
            self._lane.health.stop(str(error), error.hint)
        elif isinstance(error, TlsFailed):
            self._lane.health.stop(str(error))
        elif began_in == self._lane.health.round and self._is_crowded(error):
            self._lane.health.crowded(self._lane.at_work - 1)
        else:
            # Fewer connections are not fewer messages.
            is_of_pace = overload_of(error) is Overload.SERVER
            if is_of_pace and not _CONNECTIONS.search(error.reply):
                await self._slow(self._lane.name, str(error))
            is_busy = error.stage == Stage.GREETING and error.code is not None
            self._failed(str(error), began_in, at_once=True, is_busy=is_busy)
        await self._after_failure()

    def _is_crowded(self, error: SessionError) -> bool:
        """Whether a connection was turned away for being one too many beside others of ours.

        Any "later" may be that, but where it speaks of a pace.
        """
        if self._lane.at_work <= 1 or error.code is None:
            return False
        if _CONNECTIONS.search(error.reply):
            return True
        return error.code < 500 and overload_of(error) is None  # noqa: PLR2004  # 4yz, RFC 5321

    async def quota_spent(self, spent: QuotaSpent) -> None:
        """The server's quota is used up."""
        self._lane.health.rest(spent.again_at, f"the quota {spent.rate} is spent")
        await give_back(self._lane, self._shared)

    def _failed(
        self, sentence: str, began_in: int, *, at_once: bool = False, is_busy: bool = False
    ) -> None:
        self._lane.health.failed(
            sentence,
            now=self._shared.clock.time(),
            began_in=began_in,
            at_once=at_once,
            is_busy=is_busy,
        )

    async def _after_failure(self) -> None:
        health = self._lane.health
        if health.allowance(self._shared.clock.time()) == 0:
            self._tell(health.sentence)
            await give_back(self._lane, self._shared)
        elif not health.sentence:
            self._tell("")

    def _tell(self, sentence: str) -> None:
        """What became of the server, once: many workers learn the same at the same time."""
        if sentence != self._lane.told:
            self._lane.told = sentence
            self._shared.observer.server_changed(self._lane.name, sentence)

    async def _slow_down(self, overload: Overload, delivery: Delivery, sentence: str) -> None:
        if overload is Overload.SERVER:
            await self._slow(self._lane.name, sentence)
            return
        domain = delivery.address.rpartition("@")[2]
        gates, ledger = self._shared.gates, self._shared.ledger
        if gates.set_up(domain):
            await ledger.divide(gates.groups())
        for gate in gates.of([delivery.address]):
            now = self._shared.clock.time()
            full = gate.full_pace(now, self._lane.limiter.full_pace(now))
            gate.learned = await ledger.slow_down(gate.scope, full, sentence)

    async def _slow(self, server: str, sentence: str) -> None:
        full = self._lane.limiter.full_pace(self._shared.clock.time())
        learned = await self._shared.ledger.slow_down(server, full, sentence)
        self._lane.limiter.slowed(learned.until)


async def give_back(lane: Lane, shared: Engagement) -> None:
    """What waits in a lane's backlog is free for the others."""
    if waiting := lane.drain():
        await shared.ledger.release(waiting)
        for delivery in waiting:
            shared.gates.leave(delivery.id)
        # Nothing may be in anybody's hands any more, and who is to claim waits for what is.
        shared.control.wake()


async def learn_of_slowdowns(lanes: tuple[Lane, ...], shared: Engagement) -> None:
    """Take over what other runs learned of the paces of servers and recipient domains."""
    limiters = {lane.name: lane.limiter for lane in lanes}
    gates, is_new = shared.gates, False
    for learned in await shared.ledger.slowdowns():
        if learned.scope in limiters:
            limiters[learned.scope].slowed(learned.until)
        elif learned.scope.startswith(PREFIX):
            name = learned.scope.removeprefix(PREFIX)
            is_new |= gates.add(name)
            if (gate := gates.named(name)) is not None:
                gate.learned = learned
    if is_new:
        await shared.ledger.divide(gates.groups())
