"""Durations and rates as a campaign writes them (the contract, section 2)."""

from __future__ import annotations

import math
import re

from bulkmail.value_class import value_class

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"([0-9]{1,12})\s*/\s*(s|min|h|day)")
_WINDOWS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
#: What the powers of a factor may lack of a whole number.
_HAIR = 1e-9


@value_class
class Rate:
    """At most `count` messages in every window of `window` seconds."""

    count: int
    #: 1, 60, 3600 or 86400.
    window: float

    @property
    def is_pace(self) -> bool:
        """Per second and per minute: spread evenly. Otherwise a quota: used as fast as may be."""
        return self.window <= 60  # noqa: PLR2004  # a minute, the longest pace

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _WINDOWS.items() if seconds == self.window)
        return f"{self.count}/{unit}"


@value_class
class WarmUp(Rate):
    """A quota by the day that grows: `count` is what it grows to, and never more.

    Day one begins with the first message; the ledger knows when that was.
    """

    #: Messages of day one.
    start: int = 1
    #: What a day's quota is multiplied with for the next; at least 1.
    factor: float = 1.0

    def on_day(self, day: int) -> int:
        """The quota of a day, from 0; at least 1."""
        if self.factor <= 1 or day <= 0:
            return min(self.count, self.start)
        # Beyond it the power would be no number any more, and the quota is at its end long before.
        exponent = min(float(day), math.log(max(2, self.count)) / math.log(self.factor) + 1)
        grown: float = self.start * self.factor**exponent
        return max(1, min(self.count, math.floor(grown + _HAIR)))

    def __str__(self) -> str:
        grows = f"{self.start}/day, times {self.factor:g} each day"
        return f"{grows}, up to {self.count}/day"


@value_class
class Demand:
    """What one message needs of one server, or of one group of recipient domains."""

    #: What its permits are counted under.
    scope: str
    rates: tuple[Rate, ...]
    #: Recipients that count, all at the same instant.
    weight: int = 1


def parse_duration(text: str | float) -> float:
    """Seconds of ``500ms 30s 5m 1h 2d`` or a bare number. Raises `ValueError` with a sentence."""
    match = None if isinstance(text, bool) else _DURATION.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"`{text}` is not a duration such as 500ms, 30s, 5m, 1h or 2d")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def format_duration(seconds: float) -> str:
    """The shortest way to write it that `parse_duration` reads: ``1h``, ``90s``, ``500ms``."""
    for unit, size in reversed(_SECONDS.items()):
        count = round(seconds / size, 9)
        if count >= 1 and count.is_integer():
            return f"{int(count)}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def parse_rate(text: str) -> Rate:
    """The rate of ``N/s N/min N/h N/day``. Raises `ValueError` with a sentence."""
    match = _RATE.fullmatch(str(text).strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"`{text}` is not a rate such as 10/s, 300/min, 500/h or 2000/day")
    return Rate(int(match[1]), _WINDOWS[match[2]])
