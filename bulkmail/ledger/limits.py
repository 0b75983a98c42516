"""Permits: the limits of a server, kept in the ledger (design decision 4).

A *slot* is an instant at which one message may be handed over, and for `valid_for` seconds after
it; then it is void. All who send take their slots here, in small chunks, so the limits hold over
workers, processes and restarts, and a kill wastes a chunk at most.

What is per second or minute is spread evenly (`Pace`), what is per hour or day is a sliding count
(`Quota`): in both no window holds more than N, however late each slot is used.

Only what was used counts, not the rate it was used under: a limit that is changed counts on.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from bulkmail.campaign.units import Demand, Rate, WarmUp
from bulkmail.ledger import slowdown, warm_up
from bulkmail.ledger.pace import HORIZON, MAX_LEAD, Pace
from bulkmail.ledger.quota import Quota, bucket_of
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: The share of a server's spacing that it may lose to a message which another limit holds up.
GRACE = 0.2


@value_class(kw_only=True)
class Permit:
    """Slots, or when to ask again. Instants are epoch seconds."""

    slots: tuple[float, ...] = ()
    #: Seconds after its instant for which a slot may be used.
    valid_for: float = math.inf
    #: When to ask again, where there are no slots.
    again_at: float = 0.0
    #: The quota that is used up, where one is why there are none.
    spent: Rate | None = None
    #: Whose turn has to be waited for, where several were asked.
    scope: str | None = None


def take(
    connection: sqlite3.Connection,
    server: str,
    rates: Sequence[Rate],
    want: int,
    *,
    now: float,
    lead: float,
) -> Permit:
    """Reserve up to `want` slots under all of `rates`; a pace's no sooner than in `lead` seconds.

    Fewer are given than wanted when a chunk is smaller. A pace that was learned holds as well. Run
    inside a transaction.
    """
    earliest = now + min(lead, MAX_LEAD)
    ours = _limits_of(connection, Demand(server, tuple(rates)), now, earliest)
    if not ours or want < 1:
        return Permit(slots=(now,) * want)
    ahead = max([HORIZON, *(limit.spacing for limit in ours if isinstance(limit, Pace))])
    slots: list[float] = []
    for _ in range(min(want, *(limit.chunk for limit in ours))):
        slot = _next(ours, now)
        if slot > earliest + ahead or not all(limit.admits(slot) for limit in ours):
            break
        slots.append(slot)
        for limit in ours:
            limit.use(slot)
    if not slots:
        return _refusal(ours, slot, slot - ahead)
    for limit in ours:
        limit.write(connection)
    return Permit(slots=tuple(slots), valid_for=min(limit.valid_for for limit in ours))


def take_together(
    connection: sqlite3.Connection, demands: Sequence[Demand], *, now: float, lead: float
) -> Permit:
    """Reserve one instant for one message under all of `demands`; the first is the server's.

    Where another's turn is later than the server's, nothing is reserved: the server's turn is for
    somebody else. `Permit.scope` says who has to be waited for.
    """
    earliest = now + min(lead, MAX_LEAD)
    each = [(demand, _limits_of(connection, demand, now, earliest)) for demand in demands]
    slot, grace = now, HORIZON
    for place, (demand, limits) in enumerate(each):
        paces = [limit for limit in limits if isinstance(limit, Pace)]
        turn = _next(limits, now)
        last = (
            earliest + max([HORIZON, *(pace.spacing for pace in paces)])
            if place == 0
            else slot + grace
        )
        if turn > last or not all(limit.admits(max(turn, slot)) for limit in limits):
            return _refusal(
                limits, turn, turn - (last - earliest if place == 0 else 0), demand.scope
            )
        if place == 0 and paces:
            # A little of the server's time may go by for it, no more.
            grace = GRACE * max(pace.spacing for pace in paces)
        slot = max(slot, turn)
    for _, limits in each:
        for limit in limits:
            limit.use(slot)
            limit.write(connection)
    valid_for = min([math.inf, *(limit.valid_for for _, limits in each for limit in limits)])
    return Permit(slots=(slot,), valid_for=valid_for)


def _limits_of(
    connection: sqlite3.Connection, demand: Demand, now: float, earliest: float
) -> list[Pace | Quota]:
    found: list[Pace | Quota] = [
        Pace.of_rate(connection, demand, limit.rate, earliest)
        if limit.rate.is_pace
        else Quota(connection, demand, limit, now)
        for limit in warm_up.today(connection, demand.scope, demand.rates, now)
    ]
    learned = slowdown.current(connection, demand.scope, now)
    if learned is not None:
        found.append(Pace.of_learned(connection, demand, learned, earliest))
    return found


def _next(limits: Sequence[Pace | Quota], now: float) -> float:
    return max([now, *(limit.next_at for limit in limits if isinstance(limit, Pace))])


def _refusal(
    limits: Sequence[Pace | Quota], slot: float, again_at: float, scope: str | None = None
) -> Permit:
    spent = [limit for limit in limits if isinstance(limit, Quota) and not limit.admits(slot)]
    if spent:
        last = max(spent, key=lambda quota: quota.free_at())
        return Permit(again_at=last.free_at(), spent=last.rate, scope=scope)
    return Permit(again_at=again_at, scope=scope)


def give_back(
    connection: sqlite3.Connection, server: str, rates: Sequence[Rate], slots: Sequence[float]
) -> None:
    """Count slots that were taken and never used as unused. A pace does not get them back."""
    sql = load("limits")
    quotas = {rate.window: rate for rate in rates if not rate.is_pace}
    for rate in quotas.values():
        for slot in slots:
            key = {"server": server, "seconds": rate.window, "bucket": bucket_of(slot, rate)}
            connection.execute(sql["give back"], key | {"used": 1})
    if slots and any(isinstance(rate, WarmUp) for rate in rates):
        warm_up.take_back(connection, server, max(slots))
