"""A pace (per second and minute) while slots are taken: a GCRA with burst 1.

Slots are `STRETCH * W / N` apart, and valid for less than what the stretch adds: in a closed
window of length W those slots can be used that lie in an interval of `W + valid_for`, which is
shorter than N spacings, so they are at most N, however late each is used.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping

from bulkmail.campaign.units import Demand, Rate
from bulkmail.ledger.statements import load

#: How much wider than W / N a pace's slots are apart: it costs 2 % of the pace.
STRETCH = 1.02
#: The share of a pace's window for which a slot is valid; below the stretch.
PACE_VALIDITY = 0.018
_PACE_CHUNK = 100
#: Seconds ahead up to which slots of a pace are given out, where those of the slowest are not
#: further apart anyway. It bounds what a kill wastes.
HORIZON = 1.0
#: Seconds by which a slot's instant is put off at most, for a commit that takes long.
MAX_LEAD = 1.0
#: Stands for the window of a pace that was learned.
_LEARNED = 0.0
#: No slot lies further ahead than this: the widest spacing is that of one a minute.
_FURTHEST = STRETCH * 60 + HORIZON + MAX_LEAD


class Pace:
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
        apart = weight * spacing
        self.next_at: float = earliest
        if row is not None:
            last_at = row[0]
            if last_at > earliest + _FURTHEST + apart:
                # Given out by a clock that has been set back since: maybe a moment ago. That is
                # written down, or whoever is turned away would be told the same each time.
                last_at = earliest
                connection.execute(load("limits")["set pace"], self._key | {"last_at": last_at})
            self.next_at = max(earliest, last_at + apart)

    @classmethod
    def of_rate(
        cls, connection: sqlite3.Connection, demand: Demand, rate: Rate, earliest: float
    ) -> Pace:
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
    ) -> Pace:
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
