"""Paces that were learned: a server said that it is too much, so it gets half as much for a while.

A slow-down halves the pace, at most once in `PATIENCE`, as many connections hear of the same storm.
From there it grows by the same amount each second, to where it was within `RECOVERY`, and is
forgotten then. It is kept in the ledger, so it holds for all processes and the next run.
"""

from __future__ import annotations

import sqlite3

from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: Seconds from nothing to the full pace.
RECOVERY = 600.0
#: Seconds in which further refusals speak of the same storm.
PATIENCE = 5.0
#: Messages per second that are always tried: one a minute.
SLOWEST = 1 / 60


@value_class
class Slowdown:
    """One server, or group of domains, that gets less than it could for now."""

    scope: str
    #: Messages per second at `at`.
    pace: float
    #: Messages per second it was slowed down from.
    full: float
    #: Epoch seconds.
    at: float
    reason: str

    @property
    def until(self) -> float:
        """Epoch seconds at which it is forgotten."""
        return self.at + RECOVERY * (1 - self.pace / self.full)

    def pace_at(self, now: float) -> float | None:
        """Messages per second at `now`; None: it is over."""
        pace = self.pace + self.full * max(0.0, now - self.at) / RECOVERY
        return pace if pace < self.full else None


def current(connection: sqlite3.Connection, scope: str, now: float) -> float | None:
    """The learned pace of a scope in messages per second; None: there is none."""
    row = connection.execute(load("limits")["slowdown"], {"scope": scope}).fetchone()
    return None if row is None else Slowdown(*row).pace_at(now)


def slow_down(
    connection: sqlite3.Connection, scope: str, full: float, reason: str, now: float
) -> Slowdown:
    """Halve a scope's pace. `full` is its pace so far, where nothing was learned before."""
    row = connection.execute(load("limits")["slowdown"], {"scope": scope}).fetchone()
    known = None if row is None else Slowdown(*row)
    pace = None if known is None else known.pace_at(now)
    if known is not None and pace is not None:
        # A clock that was set back is no storm that lasts for years.
        if 0 <= now - known.at < PATIENCE:
            return known
        full = known.full
    full = max(full, 2 * SLOWEST)
    made = Slowdown(scope, max(SLOWEST, (pace or full) / 2), full, now, reason)
    connection.execute(
        load("limits")["set slowdown"],
        {"scope": scope, "pace": made.pace, "full": full, "at": now, "reason": reason},
    )
    return made


def every(connection: sqlite3.Connection, now: float) -> list[Slowdown]:
    """All that are not over at `now`, by scope."""
    rows = connection.execute(load("limits")["slowdowns"]).fetchall()
    return [slow for slow in (Slowdown(*row) for row in rows) if slow.pace_at(now) is not None]
