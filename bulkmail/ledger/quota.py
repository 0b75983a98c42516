"""A quota (per hour and day) while slots are taken: a sliding count in buckets.

Slots are counted in buckets of b = W/240, and are valid for b. In a window of length W those can
be used that lie in an interval of W + b: at most 242 neighbouring buckets. A slot is given out
only while the 242 buckets up to its own, and all later ones, hold fewer than N. Chunks are so
small (N/400) that who uses them too slowly would not have reached the quota anyway.

A clock that is set takes nothing of it: what it left further ahead than any slot of today's counts
as used now, and where it was as well, once the clock comes there again; and of buckets behind the
window as many are kept as a window has, for whoever comes back from a clock that was ahead of them.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from bulkmail.campaign.units import Demand, Rate
from bulkmail.ledger import warm_up
from bulkmail.ledger.statements import load
from bulkmail.ledger.warm_up import Today

#: Buckets of a quota's window; design decision 4 wants 60 at least. With 240, a day's quota that
#: was used up in the morning is free 12 minutes later the next morning, not 48.
BUCKETS = 240
_QUOTA_CHUNK = 400
#: Buckets that are kept: twice those of a window.
_KEPT = 2 * (BUCKETS + 2)


class Quota:
    """A quota while slots are taken: what is used, and what is to be written."""

    def __init__(
        self, connection: sqlite3.Connection, demand: Demand, limit: Today, now: float
    ) -> None:
        rate = limit.rate
        self._grows_at = limit.grows_at
        self._begins = limit.begins
        self._first_slot = math.inf
        self._key = {"server": demand.scope, "seconds": rate.window}
        #: What counts as used at another time, too, is under no window that there is.
        self._moved = {"server": demand.scope, "seconds": -rate.window}
        self._weight = min(demand.weight, rate.count)
        self.rate = rate
        self.chunk = max(1, rate.count // _QUOTA_CHUNK)
        self.valid_for = rate.window / BUCKETS
        here = bucket_of(now, rate)
        self._first = here - BUCKETS - 1
        # Later buckets are there when a pace reserved ahead, or the clock was set back.
        last = here + BUCKETS + 1
        found = connection.execute(load("limits")["quota"], self._key | {"first": self._first})
        self._used: dict[int, int] = dict(found.fetchall())
        self._taken: dict[int, int] = {}
        moved = connection.execute(load("limits")["quota"], self._moved | {"first": self._first})
        for bucket, used in moved:
            if bucket <= last:
                self._used[bucket] = self._used.get(bucket, 0) + used
        if ahead := [bucket for bucket in self._used if bucket > last]:
            self._bring_back(connection, ahead, here)

    def admits(self, slot: float) -> bool:
        """Whether a slot at that instant may be given out."""
        first = bucket_of(slot, self.rate) - BUCKETS - 1
        used = sum(n for bucket, n in self._used.items() if bucket >= first)
        return used + self._weight <= self.rate.count

    def use(self, slot: float) -> None:
        """Give it out."""
        self._first_slot = min(self._first_slot, slot)
        bucket = bucket_of(slot, self.rate)
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

    def _bring_back(self, connection: sqlite3.Connection, ahead: Sequence[int], here: int) -> None:
        """Count these buckets as used now: their clock was set back since, maybe a moment ago.

        That is written down, or whoever is turned away would be told the same each time.
        """
        sql = load("limits")
        count = 0
        for bucket in ahead:
            used = self._used.pop(bucket)
            count += used
            connection.execute(sql["use"], self._moved | {"bucket": bucket, "used": used})
        connection.execute(sql["forget ahead"], self._key | {"first": min(ahead)})
        connection.execute(sql["use"], self._key | {"bucket": here, "used": count})
        self._used[here] = self._used.get(here, 0) + count

    def write(self, connection: sqlite3.Connection) -> None:
        """Remember what was taken; forget what no window will reach."""
        sql = load("limits")
        for key in (self._key, self._moved):
            connection.execute(sql["prune"], key | {"kept": _KEPT})
        for bucket, used in self._taken.items():
            connection.execute(sql["use"], self._key | {"bucket": bucket, "used": used})
        if self._begins is not None:
            server = str(self._key["server"])
            warm_up.begin(connection, server, self._begins, self._first_slot)


def bucket_of(instant: float, rate: Rate) -> int:
    """The bucket an instant (epoch seconds) is counted in."""
    return math.floor(instant / (rate.window / BUCKETS))
