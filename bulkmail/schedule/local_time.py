"""From the wall clock to instants, where it is set forward or back (daylight saving).

A local time that does not exist stands for the next instant, that at which the clock is set
forward; one that exists twice stands for the first of the two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bulkmail.clock import moment

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LOCALTIME = Path("/etc/localtime")


def zone_named(name: str | None) -> tzinfo:
    """The IANA time zone of that name; None: the system's. Raises `ValueError`."""
    if name is None:
        return _system_zone(os.environ.get("TZ"))
    try:
        return _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"`{name}` is no IANA time zone such as Asia/Shanghai") from error


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _system_zone(variable: str | None) -> tzinfo:
    """The system's zone with its rules; where they cannot be told, the offset it has now."""
    place = str(_LOCALTIME.resolve())
    for name in ((variable or "").lstrip(":"), place.partition("zoneinfo/")[2]):
        if name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return datetime.now().astimezone().tzinfo or moment(0).tzinfo or ZoneInfo("UTC")


def instant_of(local: datetime, zone: tzinfo) -> float:
    """Epoch seconds of a time on the wall clock of `zone`; one with an offset has its own."""
    if local.tzinfo is not None:
        return local.timestamp()
    aware = local.replace(tzinfo=zone, fold=0)
    if _exists(aware):
        return aware.timestamp()
    aware = aware.replace(second=0, microsecond=0)
    while not _exists(aware):
        aware += _MINUTE
    return aware.timestamp()


def instants_of(local: datetime, zone: tzinfo) -> Iterator[float]:
    """The same, and the second instant as well where there are two."""
    first = instant_of(local, zone)
    yield first
    again = local.replace(tzinfo=zone, fold=1)
    if _exists(again) and again.timestamp() > first:
        yield again.timestamp()


def midnight(day: date, zone: tzinfo) -> float:
    """Epoch seconds at which a day begins."""
    return instant_of(datetime.combine(day, time()), zone)


def exists(local: datetime, zone: tzinfo) -> bool:
    """Whether the clock of `zone` comes to a time; it may be set forward over it."""
    return _exists(local.replace(tzinfo=zone, fold=0))


def clock_changes(day: date, zone: tzinfo) -> Iterator[float]:
    """Epoch seconds, to the minute, at which the clock is set forward or back on that day."""
    start, end = midnight(day, zone), midnight(day + _DAY, zone)
    if _offset(start, zone) == _offset(end, zone):
        return
    before = _offset(start, zone)
    while end - start >= 2 * _MINUTE.total_seconds():
        half = start + (end - start) // 120 * 60
        start, end = (half, end) if _offset(half, zone) == before else (start, half)
    yield end


def local_date(instant: float, zone: tzinfo) -> date:
    """The day on the calendar of `zone`."""
    return moment(instant).astimezone(zone).date()


def _offset(instant: float, zone: tzinfo) -> timedelta | None:
    return moment(instant).astimezone(zone).utcoffset()


def _exists(aware: datetime) -> bool:
    there_and_back = moment(aware.timestamp()).astimezone(aware.tzinfo)
    return there_and_back.replace(tzinfo=None) == aware.replace(tzinfo=None)
