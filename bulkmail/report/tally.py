"""A run in figures: what is done, how fast, and how long it may take. No output here."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict

from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.report.wording import number, rate, span

#: Seconds over which the rate is taken: long enough to be calm, short enough to tell of a change.
RATE_WINDOW = 30.0
#: Seconds between two samples of the rate: the window then holds some sixty of them.
_SAMPLE = 0.5


class Tally:
    """Counts the attempts of one run on top of where the campaign stood at its beginning."""

    def __init__(self, campaign: str, counts: Counts, limit: int, clock: Clock) -> None:
        self.campaign = campaign
        #: Recipients of this run.
        self.limit = limit
        #: Recipients of this run that came to an end; a deferred one has not.
        self.done = 0
        self._counts: dict[str, int] = asdict(counts)
        self._clock = clock
        self._samples = deque([(clock.monotonic(), 0)])

    def add(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count one attempt."""
        before = State.PENDING if delivery.first_attempt_at is None else State.DEFERRED
        self._counts[before] = max(0, self._counts[before] - 1)
        self._counts[attempt.state] += 1
        if attempt.state not in {State.PENDING, State.DEFERRED}:
            self.done += 1
        self._sample()

    def count(self, state: State) -> int:
        """How many of the campaign's deliveries are in `state`."""
        return self._counts[state]

    def _sample(self) -> None:
        now = self._clock.monotonic()
        if now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self.done))
            while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW:  # noqa: PLR2004  # a rate needs two
                self._samples.popleft()

    @property
    def per_second(self) -> float:
        """Recipients done in a second, lately; 0.0 while nothing can be said."""
        began, done = self._samples[0]
        elapsed = self._clock.monotonic() - began
        return (self.done - done) / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """An estimate for the recipients still to go; None while nothing can be said."""
        return (self.limit - self.done) / self.per_second if self.per_second > 0 else None

    def states(self) -> list[str]:
        """``sent 1,187``, ``deferred 15``, ``failed 2``: the first three always, doubts if any."""
        shown = [State.SENT, State.DEFERRED, State.FAILED]
        if self.count(State.IN_DOUBT):
            shown.append(State.IN_DOUBT)
        return [f"{str(state).replace('_', ' ')} {number(self.count(state))}" for state in shown]

    def pace(self) -> str:
        """``4.9/s``, or nothing while nothing can be said."""
        return rate(self.per_second) if self.per_second > 0 else ""

    def to_go(self) -> str:
        """``about 2 min 42 s to go``, or nothing while nothing can be said."""
        left = self.seconds_left
        return "" if left is None or self.done >= self.limit else f"about {span(left)} to go"
