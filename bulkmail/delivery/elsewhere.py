"""Whom a server of this run cannot be given: too large for it, or an extension is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkmail.delivery.lane import Lane
from bulkmail.fate import Delivery
from bulkmail.outcome import Blame, Outcome, PermanentFailure
from bulkmail.smtp.stage import Stage


class Elsewhere:
    """What one server cannot take another may: no row fails before each of them was thought of."""

    def __init__(self) -> None:
        self._lanes: Sequence[Lane] = ()
        #: Servers that cannot take it, by the delivery's id; gone with its next result.
        self._unfit: dict[int, set[str]] = {}

    def among(self, lanes: Sequence[Lane]) -> None:
        """The servers of the run, in order of preference."""
        self._lanes = lanes

    def may_go(self, delivery_id: int, lane: Lane, outcome: Outcome) -> bool:
        """Whether another server may take what this one cannot: it is claimed again for that.

        Not where the server has looked at it: a verdict on the content is no reason to try others.
        """
        if not _is_unfit(outcome) or len(self._lanes) == 1:
            return False
        unfit = self._unfit.setdefault(delivery_id, set())
        unfit.add(lane.name)
        return any(self._suits(delivery_id, other) for other in self._lanes)

    def parted(
        self, deliveries: Sequence[Delivery], chosen: Lane, now: float
    ) -> Iterable[tuple[Lane | float, Sequence[Delivery]]]:
        """Who is to be given whom instead of `chosen`; or, where those rest, until when."""
        if not self._unfit:
            return [(chosen, deliveries)]
        places: dict[Lane | float, list[Delivery]] = {}
        for delivery in deliveries:
            places.setdefault(self._place(delivery.id, chosen, now), []).append(delivery)
        return places.items()

    def settled(self, delivery_id: int) -> None:
        """A result of it is on record."""
        self._unfit.pop(delivery_id, None)

    def _place(self, delivery_id: int, chosen: Lane, now: float) -> Lane | float:
        if delivery_id not in self._unfit or self._suits(delivery_id, chosen):
            return chosen
        suiting = [lane for lane in self._lanes if self._suits(delivery_id, lane)]
        usable = [lane for lane in suiting if lane.health.allowance(now)]
        if usable:
            return usable[0]
        # Where none is left in use, the chosen one says once more why it cannot.
        return min((lane.health.rests_until for lane in suiting), default=chosen)

    def _suits(self, delivery_id: int, lane: Lane) -> bool:
        return not lane.health.is_stopped and lane.name not in self._unfit[delivery_id]


def _is_unfit(outcome: Outcome) -> bool:
    """Whether it is about what this server can take, be it by what it offers or said to MAIL."""
    if not isinstance(outcome, PermanentFailure) or outcome.ends_use:
        return False
    if outcome.stage is None:
        return outcome.blame in (Blame.MESSAGE, Blame.RECIPIENT)
    return outcome.stage == Stage.MAIL and outcome.blame is Blame.MESSAGE
