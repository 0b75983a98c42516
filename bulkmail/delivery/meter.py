"""How many messages go to somebody, as this run sees it: what a slow-down halves."""

from __future__ import annotations

#: Seconds of one count; the last two are looked at.
SPAN = 5.0
#: A burst of a moment is not taken for a pace.
_SHORTEST = 1.0
#: Fewer in a count with none before it are a beginning, and no measure: they are taken for so many.
FEW = 20


class Meter:
    """Messages per second over the last five to ten seconds. Times are epoch seconds.

    At the beginning, and behind a silence, it is rather too much than too little: nobody knows what
    could have gone. A server that means its "too many" says so again, and is given half each time.
    """

    def __init__(self) -> None:
        self._began_at = 0.0
        self._count = 0
        self._before = 0
        self._has_before = False

    def tick(self, now: float, times: int = 1) -> None:
        """One message goes, or so many do."""
        if not 0 <= now - self._began_at < SPAN:
            self._turn(now)
        self._count += times

    def pace(self, now: float) -> float:
        """Messages per second of late; 0 where there were none."""
        self._turn(now)
        elapsed = max(0.0, now - self._began_at)
        if self._has_before:
            return (self._before + self._count) / (SPAN + elapsed)
        count = max(FEW, self._count) if self._count else 0
        return count / max(_SHORTEST, elapsed)

    def _turn(self, now: float) -> None:
        """Begin a new count where the old one is over."""
        gone = now - self._began_at
        if 0 <= gone < SPAN:
            return
        is_next = SPAN <= gone < 2 * SPAN
        self._before, self._has_before = (self._count, True) if is_next else (0, False)
        self._began_at = self._began_at + SPAN if is_next else now
        self._count = 0
