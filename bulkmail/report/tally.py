"""A run in figures: what is done, how fast, and how long it may take. No output here."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict

from bulkmail.campaign.units import Rate
from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Counts, Delivery, State, state_before
from bulkmail.report.least_time import Limits, least_seconds
from bulkmail.report.wording import number, rate, span

#: Seconds over which the rate is taken: long enough to be calm, short enough to tell of a change.
RATE_WINDOW = 30.0
#: Seconds between two samples of the rate: the window then holds some sixty of them.
_SAMPLE = 0.5
#: Seconds from which it is said beforehand how long the limits make a run.
_WORTH_SAYING = 60


class Tally:
    """Counts the attempts of one run on top of where the campaign stood at its beginning."""

    def __init__(
        self, campaign: str, counts: Counts, limit: int, clock: Clock, limits: Limits = ()
    ) -> None:
        self.campaign = campaign
        #: Recipients of this run.
        self.limit = limit
        #: Recipients of this run that came to an end; a deferred one has not.
        self.done = 0
        #: Of those, who came in doubt in this run, and was not sent to again.
        self._doubts = 0
        self._counts: dict[str, int] = asdict(counts)
        self._clock = clock
        self._limits = limits
        self._began = clock.monotonic()
        #: Seconds the run has rested, and since when it does; a rate is that of the time between.
        self._rested = 0.0
        self._rests_since: float | None = None
        self._rests_until: float | None = None
        self._samples = deque([(self._began, 0)])

    def add(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count one attempt."""
        self.move(state_before(delivery), attempt.state, 1)

    def move(self, before: State, after: State, times: int) -> None:
        """Count so many attempts that led from one state to another."""
        if before is State.IN_DOUBT:
            self._take_back_doubts(times)
        else:
            self._counts[before] = max(0, self._counts[before] - times)
        self._counts[after] += times
        if after is not State.PENDING and after is not State.DEFERRED:
            self.done += times
        if after is State.IN_DOUBT:
            self._doubts += times
        self._sample()

    def _take_back_doubts(self, times: int) -> None:
        """So many who were in doubt were sent to again: what that came to counts instead.

        Those of an earlier run had not come to an end in this one.
        """
        doubted = min(times, self._counts[State.IN_DOUBT])
        self._counts[State.IN_DOUBT] -= doubted
        # Deferred since.
        self._counts[State.DEFERRED] = max(0, self._counts[State.DEFERRED] - (times - doubted))
        ended = min(times, self._doubts)
        self._doubts -= ended
        self.done -= ended

    def count(self, state: State) -> int:
        """How many of the campaign's deliveries are in `state`."""
        return self._counts[state]

    def rest(self, until: float | None) -> None:
        """The run waits, as far as is known until then (epoch seconds)."""
        if self._rests_since is None:
            self._rests_since = self._clock.monotonic()
        self._rests_until = until

    def go_on(self) -> None:
        """The run waits no more."""
        if self._rests_since is not None:
            self._rested += self._clock.monotonic() - self._rests_since
        self._rests_since = self._rests_until = None

    def _busy(self) -> float:
        """A clock that stands still while the run rests."""
        now = self._clock.monotonic() if self._rests_since is None else self._rests_since
        return now - self._rested

    def _sample(self) -> None:
        now = self._busy()
        if now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self.done))
            while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW:  # noqa: PLR2004  # a rate needs two
                self._samples.popleft()

    @property
    def per_second(self) -> float:
        """Recipients done in a second, lately, rests left out; 0.0 while nothing can be said."""
        began, done = self._samples[0]
        elapsed = self._busy() - began
        return (self.done - done) / elapsed if elapsed > 0 else 0.0

    @property
    def least_seconds(self) -> float:
        """How long the whole run takes at the least, under its servers' limits."""
        return least_seconds(self.limit, self._limits)

    @property
    def seconds_left(self) -> float | None:
        """An estimate for the recipients still to go; None while nothing can be said.

        The rate of late says nothing of a wait, nor of a quota that is not spent yet.
        """
        to_go = self.limit - self.done
        seconds = to_go / self.per_second if self.per_second > 0 else 0.0
        if self._rests_since is None:
            elapsed = self._clock.monotonic() - self._began
            seconds = max(seconds, self.least_seconds - elapsed)
        elif self._rests_until is not None:
            wait = max(0.0, self._rests_until - self._clock.time())
            seconds = wait + max(seconds, least_seconds(to_go, self._limits))
        else:
            return None
        return seconds if seconds > 0 else None

    def states(self) -> list[str]:
        """``sent 1,187``, ``deferred 15``, ``failed 2``: the first three always, doubts if any."""
        shown = [State.SENT, State.DEFERRED, State.FAILED]
        if self.count(State.IN_DOUBT):
            shown.append(State.IN_DOUBT)
        return [f"{str(state).replace('_', ' ')} {number(self.count(state))}" for state in shown]

    def pace(self) -> str:
        """``4.9/s of 5/s``: how fast, and of one server's pace; nothing where nothing is sent."""
        if self.per_second <= 0 or self._rests_since is not None:
            return ""
        rates = self._limits[0] if len(self._limits) == 1 else ()
        paces = sorted(filter(_is_pace, rates), key=_per_second)
        return f"{rate(self.per_second)} of {paces[0]}" if paces else rate(self.per_second)

    def outlook(self) -> str:
        """``1,200 of 3,000 to go, 5 d at least at the servers' rates``: what is before the run."""
        waiting = self._counts["pending"] + self._counts["deferred"] + self._counts["in_doubt"]
        of = f" of {number(waiting)}" if waiting > self.limit else ""
        least = self.least_seconds
        rates = f", {span(least)} at least at the servers' rates" if least >= _WORTH_SAYING else ""
        return f"{number(self.limit)}{of} to go{rates}"

    def to_go(self) -> str:
        """``about 2 min 42 s to go``, or nothing while nothing can be said."""
        left = self.seconds_left
        return "" if left is None or self.done >= self.limit else f"about {span(left)} to go"


def _is_pace(limit: Rate) -> bool:
    return limit.is_pace


def _per_second(limit: Rate) -> float:
    return limit.count / limit.window
