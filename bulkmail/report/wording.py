"""Figures and moments as a person reads them. Machines get JSON and RFC 3339 instead."""

from __future__ import annotations

import time

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def number(count: int) -> str:
    """A count with thousands separated: ``2,000``."""
    return f"{count:,}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count and its noun: ``1 recipient``, ``2,000 recipients``."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def span(seconds: float) -> str:
    """A length of time in at most two units: ``0.4 s``, ``2 min 42 s``, ``3 h 5 min``."""
    if seconds < 10:  # noqa: PLR2004  # below that a tenth still says something
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")


def rate(per_second: float) -> str:
    """Messages in a second: ``4.9/s``, ``2,710/s``; a slow one by the minute or hour."""
    if per_second >= 100:  # noqa: PLR2004  # three digits are enough
        return f"{per_second:,.0f}/s"
    if per_second >= 1:
        return f"{per_second:.1f}/s"
    if per_second * _MINUTE >= 1:
        return f"{per_second * _MINUTE:.1f}/min"
    return f"{per_second * _HOUR:.1f}/h"


def size(size_bytes: int) -> str:
    """A size by thousands, as mail programs show it: ``412 kB``, ``3.3 kB``, ``5.2 MB``."""
    if size_bytes < 1000:  # noqa: PLR2004  # kB is a thousand
        return counted(size_bytes, "byte")
    for unit, unit_bytes in (("kB", 10**3), ("MB", 10**6)):
        value = size_bytes / unit_bytes
        if value < 10:  # noqa: PLR2004  # one digit before the point: show one behind it
            return f"{value:.1f} {unit}"
        if value < 1000:  # noqa: PLR2004  # the next unit begins here
            return f"{value:,.0f} {unit}"
    return f"{size_bytes / 10**9:,.1f} GB"


def local(epoch_seconds: float) -> str:
    """A moment in the machine's zone: ``2026-12-02 09:02:44``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_seconds))


def local_time(epoch_seconds: float, now: float) -> str:
    """The same without its date when that is today's: ``14:32:10``."""
    text = local(epoch_seconds)
    date, _, clock = text.partition(" ")
    return clock if local(now).startswith(date) else text


def wait_sentence(sentence: str, until: float | None, now: float) -> str:
    """``waiting until 14:32:10 (greylisted)``: the moment first, as a narrow terminal cuts."""
    if until is None:
        return f"waiting: {sentence}"
    return f"waiting until {local_time(until, now)} ({sentence})"
