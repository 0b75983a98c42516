"""The instants of `every`: a cron expression on the wall clock of a zone, or a length of time.

Cron is Debian's: where neither day field begins with a star, either of them is enough. One whose
hour is given comes once for each local time: at the next instant where that does not exist, at the
first one where it exists twice. One whose hour is a star goes on by the clock, also through the
hour that comes twice, and leaves out a time that does not exist where its next is within the hour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Protocol

from bulkmail.campaign.every import Every
from bulkmail.clock import moment
from bulkmail.schedule.local_time import (
    clock_changes,
    exists,
    instant_of,
    instants_of,
    local_date,
    midnight,
)

_DAY = timedelta(days=1)
_HOUR = 3600.0
#: Days looked at for the next occurrence: no expression is rarer than 29 February, and around 2100
#: that is eight years away.
_HORIZON = 41 * 366
#: Days whose instants are kept: whoever asks again asks for the same, or the next.
_DAYS_KEPT = 8
#: Missed occurrences that are counted: "1,000 or more" tells as much.
MOST_COUNTED = 1000


class Recurrence(Protocol):
    """Instants, epoch seconds."""

    def after(self, instant: float) -> Iterator[float]:
        """Those behind `instant`, in order, each once."""
        ...

    def latest(self, after: float, until: float) -> float | None:
        """The last one behind `after` and not behind `until`; None: there is none."""
        ...


class Interval:
    """Every so many seconds, from midnight of 1 January 1970 in a zone."""

    def __init__(self, seconds: int, zone: tzinfo) -> None:
        self._seconds = seconds
        self._anchor = int(instant_of(datetime(1970, 1, 1), zone))  # noqa: DTZ001  # in `zone`

    def after(self, instant: float) -> Iterator[float]:
        """Those behind `instant`."""
        number = (instant - self._anchor) // self._seconds + 1
        while True:
            yield float(self._anchor + number * self._seconds)
            number += 1

    def latest(self, after: float, until: float) -> float | None:
        """The last one behind `after` and not behind `until`."""
        number = (until - self._anchor) // self._seconds
        found = float(self._anchor + number * self._seconds)
        return found if found > after else None


class Cron:
    """A cron expression of five fields on the wall clock of a zone."""

    def __init__(self, expression: str, zone: tzinfo) -> None:
        # Not for those without a schedule: it is slow to import.
        from cronsim import CronSim  # noqa: PLC0415

        self._zone = zone
        # It reads the expression and tells days; times are made here, from a table.
        self._cron = CronSim(expression, moment(0))
        self._is_hourly = expression.split()[1].startswith("*")
        self._days: dict[date, Sequence[float]] = {}
        self._minutes = sorted(
            hour * 60 + minute for hour in self._cron.hours for minute in self._cron.minutes
        )

    def after(self, instant: float) -> Iterator[float]:
        """Those behind `instant`; it ends where none is found for many years."""
        # A time that does not exist may stand for an instant of the day behind it.
        day = local_date(instant, self._zone) - _DAY
        last = instant
        barren = 0
        while barren < _HORIZON:
            barren += 1
            instants = self._of_day(day)
            for found in instants[bisect_right(instants, last) :]:
                yield found
                last = found
                barren = 0
            if day >= date.max - _DAY:
                return
            day += _DAY

    def latest(self, after: float, until: float) -> float | None:
        """The last one behind `after` and not behind `until`."""
        day = local_date(until, self._zone)
        # A time that does not exist may stand for an instant of the day behind it.
        first = local_date(after, self._zone) - _DAY
        while day >= first:
            instants = self._of_day(day)
            place = bisect_right(instants, until)
            if place:
                return instants[place - 1] if instants[place - 1] > after else None
            day -= _DAY
        return None

    def _of_day(self, day: date) -> Sequence[float]:
        """The instants whose local time, or the one they stand for, is of that day; in order."""
        if day not in self._days:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            self._days[day] = self._made(day)
        return self._days[day]

    def _made(self, day: date) -> Sequence[float]:
        if day.month not in self._cron.months or not self._cron.match_day(day):
            return []
        start, end = midnight(day, self._zone), midnight(day + _DAY, self._zone)
        starts_at_midnight = moment(start).astimezone(self._zone).time() == time()
        if (
            end - start == _DAY.total_seconds()
            and starts_at_midnight
            and not any(clock_changes(day, self._zone))
        ):
            return [start + 60 * minute for minute in self._minutes]
        return sorted(self._through_a_change(day))

    def _through_a_change(self, day: date) -> set[float]:
        there: set[float] = set()
        skipped: set[float] = set()
        for minute in self._minutes:
            local = datetime.combine(day, time(minute // 60, minute % 60))
            kind = there if exists(local, self._zone) else skipped
            kind.update(islice(instants_of(local, self._zone), 2 if self._is_hourly else 1))
        if self._is_hourly and skipped:
            # Where the clock is set forward to midnight, its next is of the day behind.
            near = there.union(self._of_day(day + _DAY))
            skipped = {at for at in skipped if not any(0 <= one - at < _HOUR for one in near)}
        return there | skipped


def recurrence(every: Every, zone: tzinfo) -> Recurrence:
    """The instants that are meant."""
    if every.cron is not None:
        return Cron(every.cron, zone)
    return Interval(every.seconds or 1, zone)


def count_between(found: Recurrence, after: float, until: float) -> int:
    """How many lie behind `after` and not behind `until`; `MOST_COUNTED` at most."""
    counted = islice(found.after(after), MOST_COUNTED)
    return sum(1 for _ in takewhile(lambda instant: instant <= until, counted))
