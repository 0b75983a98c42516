"""The sending window: hours of the day, in the campaign's zone, in which messages may go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from bulkmail.clock import moment


@dataclass(frozen=True, slots=True)
class Window:
    """``09:00-18:00``: from `opens` until just before `closes`, over midnight where it is later."""

    opens: time
    closes: time
    zone: tzinfo | None

    def is_open(self, now: float) -> bool:
        """Whether sending is allowed at `now`, epoch seconds."""
        local = moment(now).astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes

    def shut_until(self, now: float) -> float | None:
        """Epoch seconds at which it opens next; None: it is open at `now`."""
        if self.is_open(now):
            return None
        local = moment(now).astimezone(self.zone)
        days = (local.date() + timedelta(days=ahead) for ahead in range(3))
        openings = (datetime.combine(day, self.opens, self.zone).timestamp() for day in days)
        return min(opening for opening in openings if opening > now)
