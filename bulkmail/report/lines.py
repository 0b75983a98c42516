"""Progress where nobody looks on: a dated line now and then, for cron's mail and for logs."""

from __future__ import annotations

import asyncio
from typing import Self, TextIO

from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Counts, Delivery, State, state_before
from bulkmail.report.least_time import Limits
from bulkmail.report.tally import Tally
from bulkmail.report.terminal import visible
from bulkmail.report.wording import local, number, wait_sentence

#: Seconds between two lines: a run of an hour is then 360 lines of log, and no silence is long.
INTERVAL = 10.0


class LineDisplay:
    """Watches a run and writes lines; the first always, others at intervals."""

    def __init__(
        self, out: TextIO, clock: Clock, interval: float = INTERVAL, name: str = ""
    ) -> None:
        """`name` is put before sentences that name no campaign: several runs may share `out`."""
        self._out = out
        self._clock = clock
        self._interval = interval
        self._name = f"{name}: " if name else ""
        self._tally: Tally | None = None
        self._last_line_at = clock.monotonic()
        #: Attempts since the last line.
        self._untold = 0
        self._wait = ""
        self._told_wait = ""
        self._timer: asyncio.TimerHandle | None = None
        #: Servers that are not usable: name to sentence.
        self._down: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._cancel_timer()
        if self._untold and any(problem):  # else a summary says more, and says it next
            self._tell_progress(is_over=True)

    def announce(self, sentence: str) -> None:
        """Write the sentence."""
        is_named = sentence.startswith(self._name.rstrip(": "))
        self._line(sentence if is_named else f"{self._name}{sentence}")

    def checking(self, done: int, total: int | None) -> None:
        """Say now and then how far the check is."""
        if self._is_due():
            of = "" if total is None else f" of {number(total)}"
            what = "read" if total is None else "checked"
            self._line(f"{self._name}{what} {number(done)}{of} rows")

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Say how many this run has before it."""
        self._tally = Tally(campaign, counts, limit, self._clock, limits)
        going_on = "going on, " if counts.sent else ""
        if limit:
            self._line(f"{campaign}: {going_on}{self._tally.outlook()}")

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count, and say now and then how far the run is."""
        self.counted(state_before(delivery), attempt.state, 1)

    def counted(self, before: State, after: State, times: int) -> None:
        """The same for so many tries."""
        if self._tally is None:
            return
        self._tally.move(before, after, times)
        self._untold += times
        if self._is_due():
            self._tell_progress()

    def waiting(self, sentence: str, until: float | None) -> None:
        """Say what the run waits for: at once after a quiet while, else when one has passed.

        A wait that is going to be a long one is said at once, too.
        """
        now = self._clock.time()
        self._wait = wait_sentence(sentence, until, now) if sentence else ""
        if self._tally is not None and sentence:
            self._tally.rest(until)
        elif self._tally is not None:
            self._tally.go_on()
        is_long = until is not None and until - now > self._interval and not self._told_wait
        if not self._wait or self._wait == self._told_wait:
            self._cancel_timer()
            self._told_wait = self._wait
        elif self._is_due() or is_long:
            self._tell_wait()
        elif self._timer is None:
            self._timer = self._later(self._interval - self._since_last_line())

    def server_changed(self, server: str, sentence: str) -> None:
        """Say what became of a server."""
        if sentence:
            if self._down.get(server) != sentence:  # each try that fails tells it anew
                self._line(f"{self._name}{server}: {sentence}")
            self._down[server] = sentence
        elif self._down.pop(server, None) is not None:
            self._line(f"{self._name}{server}: usable again")

    def has_told(self, trouble: str) -> bool:
        """Whether these troubles of servers stand among the lines already."""
        told = {f"{server}: {sentence}" for server, sentence in self._down.items()}
        return bool(trouble) and told.issuperset(trouble.split("\n"))

    def _tell_progress(self, *, is_over: bool = False) -> None:
        tally = self._tally
        if tally is not None:
            figures = [*tally.states(), tally.pace(), "" if is_over else tally.to_go()]
            told = ", ".join(figure for figure in figures if figure)
            self._line(f"{tally.campaign}: {number(tally.done)} of {number(tally.limit)}; {told}")

    def _tell_wait(self) -> None:
        self._cancel_timer()
        self._told_wait = self._wait
        name = "" if self._tally is None else f"{self._tally.campaign}: "
        self._line(f"{name}{self._wait}")

    def _later(self, seconds: float) -> asyncio.TimerHandle | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # told outside a run: there is no later
            self._tell_wait()
            return None
        return loop.call_later(seconds, self._tell_wait)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _since_last_line(self) -> float:
        return self._clock.monotonic() - self._last_line_at

    def _is_due(self) -> bool:
        return self._since_last_line() >= self._interval

    def _line(self, text: str) -> None:
        self._last_line_at = self._clock.monotonic()
        self._untold = 0
        self._out.write(f"{local(self._clock.time())} {visible(text)}\n")
        self._out.flush()
