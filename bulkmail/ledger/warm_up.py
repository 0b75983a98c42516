"""Quotas that grow from day to day, as the ledger counts the days.

A day is 24 hours from the first message on. The quota of a day is counted as any other: in a window
of 24 hours that ends on a day, no more messages lie than that day's quota. Where a plain quota by
the day stands beside it, the lower of the two holds, and both are one count.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from bulkmail.campaign.units import Rate, WarmUp
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

_DAY = 86400.0


@value_class
class Warming:
    """A server whose quota grows."""

    server: str
    #: When its first message was sent, epoch seconds.
    began_at: float
    rate: WarmUp

    def day(self, now: float) -> int:
        """Which day it is, from 1."""
        return 1 + max(0, math.floor((now - self.began_at) / _DAY))

    def quota(self, now: float) -> int:
        """Messages of today."""
        return self.rate.on_day(self.day(now) - 1)

    def grows_at(self, now: float) -> float:
        """When it is more; infinity where it is all it will be."""
        if self.quota(now) >= self.rate.count:
            return math.inf
        return self.began_at + self.day(now) * _DAY


@value_class
class Today:
    """A limit as it is today."""

    rate: Rate
    #: When it grows; infinity for one that does not.
    grows_at: float = math.inf
    #: What is to be noted once a message is sent under it; None: nothing.
    begins: WarmUp | None = None


def today(
    connection: sqlite3.Connection, server: str, rates: Sequence[Rate], now: float
) -> list[Today]:
    """The limits of a server as they are now, each window's lowest quota once."""
    paces = [Today(rate) for rate in rates if rate.is_pace]
    lowest: dict[float, Today] = {}
    for rate in rates:
        if rate.is_pace:
            continue
        limit = _of(connection, server, rate, now)
        other = lowest.get(rate.window)
        if other is not None and other.rate.count < limit.rate.count:
            # The lower holds; the day is begun all the same.
            limit = Today(other.rate, other.grows_at, other.begins or limit.begins)
        elif other is not None:
            limit = Today(limit.rate, limit.grows_at, limit.begins or other.begins)
        lowest[rate.window] = limit
    return [*paces, *lowest.values()]


def _of(connection: sqlite3.Connection, server: str, rate: Rate, now: float) -> Today:
    if not isinstance(rate, WarmUp):
        return Today(rate)
    row = connection.execute(load("warm_up")["warm up"], {"server": server}).fetchone()
    if row is None:
        return Today(Rate(rate.on_day(0), rate.window), begins=rate)
    was = _warming(row)
    warming = Warming(server, was.began_at, rate)
    return Today(
        Rate(warming.quota(now), rate.window),
        warming.grows_at(now),
        begins=None if was.rate == rate else rate,
    )


def begin(connection: sqlite3.Connection, server: str, rate: WarmUp, at: float) -> None:
    """A message is sent under it at that instant: day one begins with the first."""
    parameters = {
        "server": server,
        "began_at": at,
        "first_quota": rate.start,
        "factor": rate.factor,
        "last_quota": rate.count,
    }
    connection.execute(load("warm_up")["begin"], parameters)


def take_back(connection: sqlite3.Connection, server: str, slot: float) -> None:
    """A permit of that instant was given back: with the only one, day one was not begun."""
    parameters = {"server": server, "after": slot - _DAY, "seconds": _DAY}
    connection.execute(load("warm_up")["take back"], parameters)


def every(connection: sqlite3.Connection) -> list[Warming]:
    """All servers whose quota grows, or has grown."""
    return [_warming(row) for row in connection.execute(load("warm_up")["warm ups"])]


def _warming(row: tuple[str, float, int, float, int]) -> Warming:
    server, began_at, first, factor, last = row
    return Warming(server, began_at, WarmUp(last, _DAY, first, factor))
