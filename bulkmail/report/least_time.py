"""How long so many messages take at the least, under the limits that their servers keep."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bulkmail.campaign.units import Rate

#: The rates of each server a run may use; a server without any has no limit.
Limits = Sequence[Sequence[Rate]]

#: Halvings of an interval: enough to tell a second in thousands of years.
_HALVINGS = 60


def least_seconds(count: int, limits: Limits) -> float:
    """Seconds until the last of `count` messages may go, if nothing was sent before; 0.0: at once.

    The servers share the work. What they take in fact is their own affair, so it is a lower bound.
    """
    if count < 1 or not limits or not all(limits):
        return 0.0
    late = 1.0
    while _sendable(late, limits) < count:
        late *= 2
    early = 0.0
    for _ in range(_HALVINGS):
        middle = (early + late) / 2
        if _sendable(middle, limits) < count:
            early = middle
        else:
            late = middle
    return late


def _sendable(seconds: float, limits: Limits) -> float:
    """How many messages all servers together may be handed in `seconds`."""
    return sum(min(_in_rate(seconds, rate) for rate in rates) for rates in limits)


def _in_rate(seconds: float, rate: Rate) -> float:
    if rate.is_pace:  # spread evenly: the first at once, then one after the other
        return 1 + seconds * rate.count / rate.window
    return rate.count * (1 + math.floor(seconds / rate.window))  # used up at once, then waited for
