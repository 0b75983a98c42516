"""Hours of the week and days of the calendar, as a schedule writes them.

``09:00-18:00``, ``mon-fri 09:00-18:00``, ``sat,sun 10:00-12:00``; over midnight where they close
before they open, and then the weekday is that of the evening. ``2026-12-25`` and
``2027-02-06..2027-02-12`` are days, both ends included.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from bulkmail.value_class import value_class

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(rf"(?:([A-Za-z,\- ]*[A-Za-z]) +)?{_TIME} ?- ?(?:{_TIME}|24:00)")
_WORDS = 'must be a window such as "09:00-18:00" or "mon-fri 09:00-18:00"'


@value_class
class Hours:
    """A stretch of the day on some weekdays; minutes of the wall clock, from midnight."""

    #: 0 is Monday. The day on which it opens.
    weekdays: frozenset[int]
    opens: int
    #: Up to 1440. Not above `opens`: it closes on the day after.
    closes: int

    def hold(self, local: datetime) -> bool:
        """Whether a moment on the wall clock lies in them."""
        minute = local.hour * 60 + local.minute
        day = local.weekday()
        if self.opens < self.closes:
            return day in self.weekdays and self.opens <= minute < self.closes
        in_the_evening = day in self.weekdays and minute >= self.opens
        return in_the_evening or ((day - 1) % 7 in self.weekdays and minute < self.closes)


@value_class
class Days:
    """Days of the calendar, both ends included."""

    first: date
    last: date


def parse_hours(text: str) -> Hours:
    """The hours that are written so. Raises `ValueError` with a sentence."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError(_WORDS)
    days, *digits = match.groups()
    opens = int(digits[0]) * 60 + int(digits[1])
    closes = _DAY_MINUTES if digits[2] is None else int(digits[2]) * 60 + int(digits[3])
    if opens == closes:
        raise ValueError("is a window that is never open: it closes when it opens")
    return Hours(_weekdays(days), opens, closes or _DAY_MINUTES)


def parse_days(text: str) -> Days:
    """The days that are written so. Raises `ValueError` with a sentence."""
    ends = [_date(part) for part in text.strip().split("..")]
    if len(ends) > 2:  # noqa: PLR2004  # a first and a last
        raise ValueError("must be a day such as 2026-12-25, or days: 2027-02-06..2027-02-12")
    if ends[0] > ends[-1]:
        raise ValueError(f"`{text}` ends before it begins")
    return Days(ends[0], ends[-1])


def _date(text: str) -> date:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError as error:
        raise ValueError(
            "must be a day such as 2026-12-25, or days: 2027-02-06..2027-02-12"
        ) from error


def _weekdays(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        start, end = _weekday(first), _weekday(last if dash else first)
        found |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(found)


def _weekday(word: str) -> int:
    if word.lower() not in WEEKDAYS:
        raise ValueError(f"`{word}` is no weekday: they are {' '.join(WEEKDAYS)}")
    return WEEKDAYS.index(word.lower())
