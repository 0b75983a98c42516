"""From a claimed delivery to a flight: its message composed, ready to be handed over."""

from __future__ import annotations

from bulkmail.clock import moment
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.splitting import within
from bulkmail.delivery.verdict import Try, gave_up, verdict
from bulkmail.errors import ConfigurationError
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.message.faults import RowSkipped
from bulkmail.outcome import Blame, PermanentFailure
from bulkmail.value_class import value_class


@value_class
class Settled:
    """A delivery that came to its end without being handed over."""

    tried: Try
    attempt: Attempt


class Preparing:
    """Makes one lane's deliveries ready."""

    def __init__(self, lane: Lane, shared: Engagement) -> None:
        self._lane = lane
        self._shared = shared

    async def ready(self, delivery: Delivery) -> Flight | Settled:
        """Compose its message. What the composer raises beside faults of the row is passed on."""
        now = self._shared.clock.time()
        since = delivery.attempted_since
        tried = Try(delivery, self._lane.name, since or now)
        if delivery.attempts and self._shared.policy.is_over(delivery.attempts, since, now):
            return Settled(tried, gave_up(tried, "given up while it waited", now))
        try:
            mail = await self._shared.compose(delivery, moment(tried.started_at))
        except RowSkipped as skipped:
            return Settled(tried, self._skipped(tried, skipped.reason))
        except ConfigurationError as error:
            reason = "; ".join(fault.message for fault in error.faults)
            local = PermanentFailure(blame=Blame.US, stage=None, reply=None, reason=reason)
            unsent = Try(delivery, None, tried.started_at)
            now = self._shared.clock.time()
            return Settled(unsent, verdict(unsent, local, self._shared.policy, now))
        if (most := self._lane.most_recipients) is not None:
            mail = within(mail, most)
        # Now, as there is mostly a server that answers meanwhile, and not as the mark is asked for.
        return Flight(tried, mail, mail.digests(), self._lane.health.round)

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
