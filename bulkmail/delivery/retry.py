"""When a delivery is tried again: a pure decision over attempts, time and dice."""

from __future__ import annotations

from random import Random
from typing import TypeAlias

from bulkmail.settings import RetrySettings
from bulkmail.value_class import value_class

#: A delay is stretched by up to this share, so that what was deferred together does not wake
#: together. Never shortened: greylisting servers count from the delay that was asked for.
JITTER = 0.2


@value_class
class RetryAt:
    """Try again at this moment, epoch seconds."""

    at: float


@value_class
class GiveUp:
    """No more tries, and why."""

    reason: str


Decision: TypeAlias = RetryAt | GiveUp


class RetryPolicy:
    """The campaign's `retry:`; the dice are passed in."""

    def __init__(self, settings: RetrySettings, dice: Random) -> None:
        self.settings = settings
        self._dice = dice

    def decide(self, *, attempts: int, first_attempt_at: float | None, now: float) -> Decision:
        """What follows a transient failure at `now`, `attempts` counted tries included.

        With `first_attempt_at` None the time to give up has not begun: none was an attempt yet.
        """
        if self.is_used_up(attempts):
            return GiveUp(f"given up after {attempts} attempts")
        at = now + self.delay(attempts)
        if first_attempt_at is not None and at > first_attempt_at + self.settings.give_up_after:
            return GiveUp(f"given up after {_human(self.settings.give_up_after)}")
        return RetryAt(at)

    def is_used_up(self, attempts: int) -> bool:
        """Whether `attempts` counted tries are all there may be."""
        limit = self.settings.attempts
        return limit is not None and attempts >= limit

    def has_expired(self, first_attempt_at: float | None, now: float) -> bool:
        """Whether a delivery that waits is past its time (it holds for what already waits)."""
        return first_attempt_at is not None and now > first_attempt_at + self.settings.give_up_after

    def is_over(self, attempts: int, first_attempt_at: float | None, now: float) -> bool:
        """Whether a delivery that waits is not to be tried, for its time or for its tries."""
        if not attempts and first_attempt_at is None:
            return False
        return self.is_used_up(attempts) or self.has_expired(first_attempt_at, now)

    def delay(self, attempts: int) -> float:
        """Seconds to wait after `attempts` tries, jitter included."""
        return self._base(max(0, attempts - 1)) * (1 + JITTER * self._dice.random())

    def _base(self, nth: int) -> float:
        steps = self.settings.backoff
        if not self.settings.backoff_doubles:
            return steps[min(nth, len(steps) - 1)]
        # Beyond 2**32 the cap has long been reached; floats must not overflow.
        return min(steps[0] * 2.0 ** min(nth, 32), self.settings.max_backoff)


def _human(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"
