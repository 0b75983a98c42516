"""Whom a server of this run cannot be given: too large for it, or an extension is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from bulkmail.delivery.lane import Lane
from bulkmail.fate import Delivery
from bulkmail.outcome import Blame, Outcome, PermanentFailure
from bulkmail.smtp.stage import Stage

#: The group they are put under, in the ledger: it is no domain's, and nobody claims from it.
ASIDE = "(no server)"


class Elsewhere:
    """What one server cannot take another may: no row fails before each of them was thought of.

    Nor because the one that could take it is out of use: it is put aside then, under a group that
    this run does not claim from, however many they are. The next run has them as all others.
    """

    def __init__(self) -> None:
        self._lanes: Sequence[Lane] = ()
        #: Servers that cannot take it, by the delivery's id; gone with its next result.
        self._unfit: dict[int, set[str]] = {}
        #: Why each server could not take the last one that it could not.
        self._reasons: dict[str, str] = {}
        #: Whether somebody was put aside.
        self.has_aside = False

    def among(self, lanes: Sequence[Lane]) -> None:
        """The servers of the run, in order of preference."""
        self._lanes = lanes

    def may_go(self, delivery_id: int, lane: Lane, outcome: Outcome) -> bool:
        """Whether another server may take what this one cannot: it is claimed again for that.

        Not where the server has looked at it: a verdict on the content is no reason to try others.
        """
        if len(self._lanes) == 1 or not _is_unfit(outcome):
            return False
        self._unfit.setdefault(delivery_id, set()).add(lane.name)
        self._reasons[lane.name] = outcome.reason
        return bool(self._others(delivery_id))

    def parted(
        self, deliveries: Sequence[Delivery], chosen: Lane, now: float
    ) -> Iterable[tuple[Lane | float | None, Sequence[Delivery]]]:
        """Who is to be given whom instead of `chosen`.

        Or, where those rest, until when; or None: they are out of use, and it is to be `put_aside`.
        """
        if not self._unfit:
            return [(chosen, deliveries)]
        places: dict[Lane | float | None, list[Delivery]] = {}
        for delivery in deliveries:
            places.setdefault(self._place(delivery.id, chosen, now), []).append(delivery)
        return places.items()

    def settled(self, deliveries: Iterable[Delivery]) -> None:
        """A result of each of them is on record."""
        if self._unfit:
            for delivery in deliveries:
                self._unfit.pop(delivery.id, None)

    def put_aside(self, deliveries: Sequence[Delivery]) -> None:
        """They are for no server of this run: no more is known of them."""
        self.has_aside = True
        self.settled(deliveries)

    def sentences(self) -> Iterable[str]:
        """Why they are, a line for each server."""
        for lane in self._lanes:
            if lane.health.is_stopped:
                yield f"{lane.name}: {lane.health.sentence}"
            elif lane.name in self._reasons:
                yield f"{lane.name}: {self._reasons[lane.name]}"

    def _place(self, delivery_id: int, chosen: Lane, now: float) -> Lane | float | None:
        if chosen.name not in self._unfit.get(delivery_id, ()):
            return chosen
        alive = [lane for lane in self._others(delivery_id) if not lane.health.is_stopped]
        usable = [lane for lane in alive if lane.health.allowance(now)]
        if usable:
            return usable[0]
        return min((lane.health.rests_until for lane in alive), default=None)

    def _others(self, delivery_id: int) -> list[Lane]:
        """Servers that may be able to take it, whether or not they are in use."""
        return [lane for lane in self._lanes if lane.name not in self._unfit[delivery_id]]


def _is_unfit(outcome: Outcome) -> TypeGuard[PermanentFailure]:
    """Whether it is about what this server can take, be it by what it offers or said to MAIL."""
    if not isinstance(outcome, PermanentFailure) or outcome.ends_use:
        return False
    if outcome.stage is None:
        return outcome.blame in (Blame.MESSAGE, Blame.RECIPIENT)
    return outcome.stage == Stage.MAIL and outcome.blame is Blame.MESSAGE
