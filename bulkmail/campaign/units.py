"""Durations and rates as a campaign writes them (the contract, section 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"([0-9]{1,12})\s*/\s*(s|min|h|day)")
_WINDOWS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
        raise ValueError(f"{text!r} is not a duration such as 500ms, 30s, 5m, 1h or 2d")
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
        raise ValueError(f"{text!r} is not a rate such as 10/s, 300/min, 500/h or 2000/day")
    return Rate(int(match[1]), _WINDOWS[match[2]])
