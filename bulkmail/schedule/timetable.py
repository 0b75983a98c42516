"""When a campaign is due: what its schedule comes to, and what is to be done at an instant.

Pure: instants go in, decisions come out. What was decided before (first seen, handled) is the
caller's to remember; with it each time is due once, whatever stops or jumps in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from itertools import takewhile

from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.schedule.local_time import instant_of, zone_named
from bulkmail.schedule.recurrence import Recurrence, count_between, recurrence
from bulkmail.schedule.window import Window
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Due:
    """A time that has come. Epoch seconds."""

    due_at: float
    #: Earlier times that passed as well, and are run as one with it.
    missed: int = 0
    #: When its window opens; None: now, or it is counted for each reader.
    waits_until: float | None = None
    #: Why it is not to be begun any more; "": it is not too late.
    too_late: str = ""


@value_class(kw_only=True)
class Timetable:
    """A schedule, in instants. Exactly one of `at` and `every` is there."""

    zone: tzinfo
    at: float | None = None
    every: Recurrence | None = None
    #: Kept by the campaign as a whole; None where there is none, or each reader has his own.
    window: Window | None = None
    until: float | None = None
    #: How late it may begin, in seconds; None: however late.
    grace: float | None = None

    @property
    def is_series(self) -> bool:
        """Whether each occurrence is a campaign of its own."""
        return self.every is not None

    def due(self, now: float, *, first_seen: float, handled: float | None) -> Due | None:
        """What is due at `now`; None: nothing.

        `first_seen` is when the campaign was first seen, `handled` the last time of it that was
        begun or skipped.
        """
        found = self._passed(now, first_seen, handled)
        if found is None:
            return None
        due_at, missed = found
        return Due(
            due_at=due_at,
            missed=missed,
            waits_until=None if self.window is None else self.window.shut_until(now),
            too_late=self._too_late(due_at, now),
        )

    def upcoming(self, now: float, *, handled: float | None = None) -> Iterator[float]:
        """The times behind `now`, none behind `until`; of `at` also one that has passed."""
        if self.at is not None:
            yield from [self.at] if self.at != handled else []
        elif self.every is not None:
            until = float("inf") if self.until is None else self.until
            yield from takewhile(lambda at: at <= until, self.every.after(max(now, handled or now)))

    def begins_at(self, due_at: float) -> float:
        """When what is due then may begin to go out: its window is open."""
        opens = None if self.window is None else self.window.shut_until(due_at)
        return due_at if opens is None else opens

    def _passed(
        self, now: float, first_seen: float, handled: float | None
    ) -> tuple[float, int] | None:
        if self.at is not None:
            return None if self.at > now or self.at == handled else (self.at, 0)
        if self.every is None:
            return None
        after = first_seen if handled is None else max(first_seen, handled)
        latest = self.every.latest(after, now if self.until is None else min(now, self.until))
        if latest is None:
            return None
        return latest, count_between(self.every, after, latest) - 1

    def _too_late(self, due_at: float, now: float) -> str:
        if self.until is not None and now > self.until:
            return "too late: its `until` has passed"
        if self.grace is not None and now > self.begins_at(due_at) + self.grace:
            return "too late: nobody was there to send it within its `grace`"
        return ""


def timetable(schedule: ScheduleModel) -> Timetable | None:
    """What a schedule comes to; None: the campaign is due at no time by itself."""
    if schedule.at is None and schedule.every is None:
        return None
    zone = zone_named(schedule.timezone)
    return Timetable(
        zone=zone,
        at=None if schedule.at is None else instant_of(schedule.at, zone),
        every=None if schedule.every is None else recurrence(schedule.every, zone),
        window=None if schedule.recipient_timezone else window_in(schedule),
        until=None if schedule.until is None else instant_of(schedule.until, zone),
        grace=schedule.grace if schedule.misfire == "skip" else None,
    )


def window_in(schedule: ScheduleModel, zone: tzinfo | None = None) -> Window | None:
    """The window on the clock of `zone`, by default the schedule's own; None: always open."""
    if not schedule.window and not schedule.blackout:
        return None
    return Window(schedule.window, schedule.blackout, zone or zone_named(schedule.timezone))
