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
from collections.abc import Sequence
from dataclasses import dataclass

from bulkmail.campaign.units import Rate
from bulkmail.ledger.statements import load

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
#: No slot lies further ahead than this: the widest spacing is that of one a minute.
_FURTHEST = STRETCH * 60 + HORIZON + MAX_LEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Slots, or when to ask again. Instants are epoch seconds."""

    slots: tuple[float, ...] = ()
    #: Seconds after its instant for which a slot may be used.
    valid_for: float = math.inf
    #: When to ask again, where there are no slots.
    again_at: float = 0.0
    #: The quota that is used up, where one is why there are none.
    spent: Rate | None = None


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

    Fewer are given than wanted when a chunk is smaller. Run inside a transaction.
    """
    if not rates or want < 1:
        return Permit(slots=(now,) * want)
    earliest = now + min(lead, MAX_LEAD)
    paces = [_Pace(connection, server, rate, earliest) for rate in rates if rate.is_pace]
    quotas = [_Quota(connection, server, rate, now) for rate in rates if not rate.is_pace]
    limits: list[_Pace | _Quota] = [*paces, *quotas]
    ahead = max([HORIZON, *(pace.spacing for pace in paces)])
    slots: list[float] = []
    for _ in range(min(want, *(limit.chunk for limit in limits))):
        slot = max([now, *(pace.next_at for pace in paces)])
        if slot > earliest + ahead or not all(quota.admits(slot) for quota in quotas):
            break
        slots.append(slot)
        for limit in limits:
            limit.use(slot)
    if slots:
        for limit in limits:
            limit.write(connection)
        return Permit(slots=tuple(slots), valid_for=min(limit.valid_for for limit in limits))
    spent = [quota for quota in quotas if not quota.admits(slot)]
    if spent:
        last = max(spent, key=lambda quota: quota.free_at())
        return Permit(again_at=last.free_at(), spent=last.rate)
    return Permit(again_at=slot - ahead)


def give_back(
    connection: sqlite3.Connection, server: str, rates: Sequence[Rate], slots: Sequence[float]
) -> None:
    """Count slots that were taken and never used as unused. A pace does not get them back."""
    sql = load("limits")
    for rate in rates:
        for slot in () if rate.is_pace else slots:
            key = {"server": server, "seconds": rate.window, "bucket": _bucket(slot, rate)}
            connection.execute(sql["give back"], key | {"used": 1})


class _Pace:
    """A pace while slots are taken: the next one's instant, and what is to be written."""

    def __init__(
        self, connection: sqlite3.Connection, server: str, rate: Rate, earliest: float
    ) -> None:
        self._key = {"server": server, "seconds": rate.window}
        self.spacing = STRETCH * rate.window / rate.count
        self.chunk = max(1, rate.count // _PACE_CHUNK)
        self.valid_for = PACE_VALIDITY * rate.window
        row = connection.execute(load("limits")["pace"], self._key).fetchone()
        # A slot beyond what can be was given out by a clock that has been set back since.
        is_real = row is not None and row[0] <= earliest + _FURTHEST
        self.next_at: float = max(earliest, row[0] + self.spacing) if is_real else earliest

    def use(self, slot: float) -> None:
        """Give it out."""
        self._last_at = slot
        self.next_at = slot + self.spacing

    def write(self, connection: sqlite3.Connection) -> None:
        """Remember the last slot."""
        connection.execute(load("limits")["set pace"], self._key | {"last_at": self._last_at})


class _Quota:
    """A quota while slots are taken: what is used, and what is to be written."""

    def __init__(self, connection: sqlite3.Connection, server: str, rate: Rate, now: float) -> None:
        self._key = {"server": server, "seconds": rate.window}
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
        return sum(n for bucket, n in self._used.items() if bucket >= first) < self.rate.count

    def use(self, slot: float) -> None:
        """Give it out."""
        bucket = _bucket(slot, self.rate)
        self._used[bucket] = self._used.get(bucket, 0) + 1
        self._taken[bucket] = self._taken.get(bucket, 0) + 1

    def free_at(self) -> float:
        """When so many of the oldest are out of the window that one more is let in."""
        left = sum(self._used.values())
        for bucket in sorted(self._used):
            left -= self._used[bucket]
            if left < self.rate.count:
                return (bucket + BUCKETS + 2) * self.valid_for
        raise AssertionError("a quota of at least one is free when nothing is used")

    def write(self, connection: sqlite3.Connection) -> None:
        """Remember what was taken; forget what no window reaches."""
        sql = load("limits")
        connection.execute(sql["prune"], self._key | {"first": self._first})
        for bucket, used in self._taken.items():
            connection.execute(sql["use"], self._key | {"bucket": bucket, "used": used})


def _bucket(instant: float, rate: Rate) -> int:
    return math.floor(instant / (rate.window / BUCKETS))
