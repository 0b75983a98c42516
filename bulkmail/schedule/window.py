"""The sending window: hours of the week in which messages may go out, and days on which none may.

All is judged by the clock on the wall of one zone, the campaign's or the reader's, so a window is
never open outside of its hours there, whatever daylight saving does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

from bulkmail.campaign.hours import Days, Hours
from bulkmail.clock import moment
from bulkmail.schedule.local_time import clock_changes, instants_of, local_date, midnight
from bulkmail.value_class import value_class

#: Days looked at behind the last blackout: a week holds every weekday, and a clock that is set
#: forward may swallow a short window once.
_AHEAD = 15


@value_class
class Window:
    """When messages may go out. Without hours it is open all day."""

    hours: Sequence[Hours]
    blackout: Sequence[Days]
    zone: tzinfo

    def is_open(self, now: float) -> bool:
        """Whether sending is allowed at `now`, epoch seconds."""
        local = moment(now).astimezone(self.zone)
        if self._is_blacked_out(local.date()):
            return False
        return not self.hours or any(hours.hold(local) for hours in self.hours)

    def shut_until(self, now: float) -> float | None:
        """Epoch seconds at which it opens next; None: it is open at `now`."""
        if self.is_open(now):
            return None
        today = local_date(now, self.zone)
        last = max([today, *(days.last for days in self.blackout)]) + timedelta(days=_AHEAD)
        day = today
        while day <= last:
            openings = [at for at in self._turns(day) if at > now and self.is_open(at)]
            if openings:
                return min(openings)
            day += timedelta(days=1)
        raise AssertionError("a window that never opens")

    def shuts_at(self, now: float) -> float | None:
        """Epoch seconds at which it shuts next, where it is open at `now`; None: within 15 days."""
        today = local_date(now, self.zone)
        for ahead in range(_AHEAD):
            turns = self._turns(today + timedelta(days=ahead))
            closings = [at for at in turns if at > now and not self.is_open(at)]
            if closings:
                return min(closings)
        return None

    def _turns(self, day: date) -> Iterator[float]:
        """The instants of a day at which it may open or shut."""
        yield midnight(day, self.zone)
        yield from clock_changes(day, self.zone)
        for hours in self.hours:
            for minute in (hours.opens, hours.closes % (24 * 60)):
                yield from instants_of(
                    datetime.combine(day, time(minute // 60, minute % 60)), self.zone
                )

    def _is_blacked_out(self, day: date) -> bool:
        return any(days.first <= day <= days.last for days in self.blackout)
