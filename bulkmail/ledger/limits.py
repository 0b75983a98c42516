"""Permits: the limits of a server, kept in the ledger (design decision 4).

A *slot* is an instant at which one message may be handed over, and for `valid_for` seconds after
it; then it is void. All who send take their slots here, in small chunks, so the limits hold over
workers, processes and restarts, and a kill wastes a chunk at most.

**Paces** (per second and minute) are a GCRA with burst 1. Slots are `STRETCH * W / N` apart, and
valid for less than what the stretch adds: in a closed window of length W those slots can be used
that lie in an interval of `W + valid_for`, which is shorter than N spacings, so they are at most
N, however late each is used.

**Quotas** (per hour and day) count slots in buckets of b = W/240, and slots are valid for b. In a
window of length W those can be used that lie in an interval of W + b: at most 242 neighbouring
buckets. A slot is given out only while the 242 buckets up to its own, and all later ones, hold
fewer than N. Chunks are so small (N/400) that who uses them too slowly would not have reached the
quota anyway.

Only what was used counts, not the rate it was used under: a limit that is changed counts on.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence

from bulkmail.campaign.units import Demand, Rate, WarmUp
from bulkmail.ledger import slowdown, warm_up
from bulkmail.ledger.statements import load
from bulkmail.ledger.warm_up import Today
from bulkmail.value_class import value_class

#: How much wider than W / N a pace's slots are apart: it costs 2 % of the pace.
STRETCH = 1.02
#: The share of a pace's window for which a slot is valid; below the stretch.
PACE_VALIDITY = 0.018
#: Buckets of a quota's window; design decision 4 wants 60 at least. With 240, a day's quota that
#: was used up in the morning is free 12 minutes later the next morning, not 48.
BUCKETS = 240
_PACE_CHUNK = 100
_QUOTA_CHUNK = 400
#: Seconds ahead up to which slots of a pace are given out, where those of the slowest are not
#: further apart anyway. It bounds what a kill wastes.
HORIZON = 1.0
#: Seconds by which a slot's instant is put off at most, for a commit that takes long.
MAX_LEAD = 1.0
#: The share of a server's spacing that it may lose to a message which another limit holds up.
GRACE = 0.2
#: Stands for the window of a pace that was learned.
_LEARNED = 0.0
#: No slot lies further ahead than this: the widest spacing is that of one a minute.
_FURTHEST = STRETCH * 60 + HORIZON + MAX_LEAD


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
    ahead = max([HORIZON, *(limit.spacing for limit in ours if isinstance(limit, _Pace))])
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
        paces = [limit for limit in limits if isinstance(limit, _Pace)]
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
) -> list[_Pace | _Quota]:
    found: list[_Pace | _Quota] = [
        _Pace.of_rate(connection, demand, limit.rate, earliest)
        if limit.rate.is_pace
        else _Quota(connection, demand, limit, now)
        for limit in warm_up.today(connection, demand.scope, demand.rates, now)
    ]
    learned = slowdown.current(connection, demand.scope, now)
    if learned is not None:
        found.append(_Pace.of_learned(connection, demand, learned, earliest))
    return found


def _next(limits: Sequence[_Pace | _Quota], now: float) -> float:
    return max([now, *(limit.next_at for limit in limits if isinstance(limit, _Pace))])


def _refusal(
    limits: Sequence[_Pace | _Quota], slot: float, again_at: float, scope: str | None = None
) -> Permit:
    spent = [limit for limit in limits if isinstance(limit, _Quota) and not limit.admits(slot)]
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
            key = {"server": server, "seconds": rate.window, "bucket": _bucket(slot, rate)}
            connection.execute(sql["give back"], key | {"used": 1})
    if slots and any(isinstance(rate, WarmUp) for rate in rates):
        warm_up.take_back(connection, server, max(slots))


class _Pace:
    """A pace while slots are taken: the next one's instant, and what is to be written.

    A message that counts k times is k slots in one. It keeps k spacings from the last one before
    it, and k - 1 more from the next: then no window can hold more slots than if they were spread.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        key: Mapping[str, object],
        *,
        spacing: float,
        weight: int,
        earliest: float,
    ) -> None:
        self._key = dict(key)
        self._weight = weight
        self.spacing = spacing
        self.chunk = 1
        self.valid_for = math.inf
        row = connection.execute(load("limits")["pace"], self._key).fetchone()
        # A slot beyond what can be was given out by a clock that has been set back since.
        is_real = row is not None and row[0] <= earliest + _FURTHEST + weight * spacing
        self.next_at: float = max(earliest, row[0] + weight * spacing) if is_real else earliest

    @classmethod
    def of_rate(
        cls, connection: sqlite3.Connection, demand: Demand, rate: Rate, earliest: float
    ) -> _Pace:
        """One that was written down; no window holds more."""
        made = cls(
            connection,
            {"server": demand.scope, "seconds": rate.window},
            spacing=STRETCH * rate.window / rate.count,
            weight=min(demand.weight, rate.count),
            earliest=earliest,
        )
        made.chunk = max(1, rate.count // _PACE_CHUNK)
        made.valid_for = PACE_VALIDITY * rate.window
        return made

    @classmethod
    def of_learned(
        cls, connection: sqlite3.Connection, demand: Demand, pace: float, earliest: float
    ) -> _Pace:
        """One that was learned, in messages per second: about that."""
        return cls(
            connection,
            {"server": demand.scope, "seconds": _LEARNED},
            spacing=1 / pace,
            weight=1,
            earliest=earliest,
        )

    def admits(self, slot: float) -> bool:
        """Whether a slot at that instant may be given out."""
        return slot >= self.next_at

    def use(self, slot: float) -> None:
        """Give it out."""
        self._last_at = slot + (self._weight - 1) * self.spacing
        self.next_at = self._last_at + self._weight * self.spacing

    def write(self, connection: sqlite3.Connection) -> None:
        """Remember the last slot."""
        connection.execute(load("limits")["set pace"], self._key | {"last_at": self._last_at})


class _Quota:
    """A quota while slots are taken: what is used, and what is to be written."""

    def __init__(
        self, connection: sqlite3.Connection, demand: Demand, limit: Today, now: float
    ) -> None:
        rate = limit.rate
        self._grows_at = limit.grows_at
        self._begins = limit.begins
        self._first_slot = math.inf
        self._key = {"server": demand.scope, "seconds": rate.window}
        self._weight = min(demand.weight, rate.count)
        self.rate = rate
        self.chunk = max(1, rate.count // _QUOTA_CHUNK)
        self.valid_for = rate.window / BUCKETS
        here = _bucket(now, rate)
        self._first = here - BUCKETS - 1
        # Later buckets are there when a pace reserved ahead, or the clock was set back.
        span = {"first": self._first, "last": here + BUCKETS + 1}
        self._used: dict[int, int] = dict(
            connection.execute(load("limits")["quota"], self._key | span).fetchall()
        )
        self._taken: dict[int, int] = {}

    def admits(self, slot: float) -> bool:
        """Whether a slot at that instant may be given out."""
        first = _bucket(slot, self.rate) - BUCKETS - 1
        used = sum(n for bucket, n in self._used.items() if bucket >= first)
        return used + self._weight <= self.rate.count

    def use(self, slot: float) -> None:
        """Give it out."""
        self._first_slot = min(self._first_slot, slot)
        bucket = _bucket(slot, self.rate)
        self._used[bucket] = self._used.get(bucket, 0) + self._weight
        self._taken[bucket] = self._taken.get(bucket, 0) + self._weight

    def free_at(self) -> float:
        """When so many of the oldest are out of the window that one more is let in.

        Or when the quota has grown: who asks then is told whether that is enough.
        """
        left = sum(self._used.values())
        for bucket in sorted(self._used):
            left -= self._used[bucket]
            if left + self._weight <= self.rate.count:
                return min(self._grows_at, (bucket + BUCKETS + 2) * self.valid_for)
        raise AssertionError("a quota of at least one is free when nothing is used")

    def write(self, connection: sqlite3.Connection) -> None:
        """Remember what was taken; forget what no window reaches."""
        sql = load("limits")
        connection.execute(sql["prune"], self._key | {"first": self._first})
        for bucket, used in self._taken.items():
            connection.execute(sql["use"], self._key | {"bucket": bucket, "used": used})
        if self._begins is not None:
            server = str(self._key["server"])
            warm_up.begin(connection, server, self._begins, self._first_slot)


def _bucket(instant: float, rate: Rate) -> int:
    return math.floor(instant / (rate.window / BUCKETS))
