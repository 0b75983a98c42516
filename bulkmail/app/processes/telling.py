"""What happens in a child, told to its parent: the run, the dialogue, refusals."""

from __future__ import annotations

from bulkmail.app.processes.channel import Channel
from bulkmail.delivery.refusals import Refusals
from bulkmail.delivery.watching import Tried
from bulkmail.fate import Attempt, Counts, Delivery, state_before
from bulkmail.report.least_time import Limits
from bulkmail.report.log import LogWatch
from bulkmail.settings import StopSettings
from bulkmail.transport.transcript import Transcript


class TellingWatch:
    """Tells the parent what a watch is told. The log's line of each try is written here."""

    def __init__(self, channel: Channel, log: LogWatch, *, is_summed: bool) -> None:
        """`is_summed`: of tries the parent wants to know how many led from where to where."""
        self._channel = channel
        self._log = log
        self._is_summed = is_summed
        self._told: tuple[str, float | None] = ("", None)

    def announce(self, sentence: str) -> None:
        """Tell it."""
        self._channel.say("told", sentence)

    def checking(self, done: int, total: int | None) -> None:
        """A child checks nothing."""

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """The parent begins."""

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Log it, and tell it soon."""
        self.all_attempted([(delivery, attempt)])

    def all_attempted(self, tried: Tried) -> None:
        """Log them, and tell them soon: there are thousands."""
        self._log.all_attempted(tried)
        for delivery, attempt in tried:
            if self._is_summed:
                self._channel.count("tried", state_before(delivery), attempt.state)
            else:
                self._channel.mention("attempted", delivery, attempt)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Tell it where it is news."""
        if (sentence, until) != self._told:
            self._told = (sentence, until)
            self._channel.mention("waiting", sentence, until)

    def server_changed(self, server: str, sentence: str) -> None:
        """Tell it."""
        self._channel.say("server", server, sentence)


class TellingVerdicts:
    """Has the parent count one server's refusals: it counts those of all processes.

    They are counted here as well: a parent that is slow to answer lets nobody burn the list.
    """

    def __init__(self, channel: Channel, stop_after: StopSettings, server: str) -> None:
        self._channel = channel
        self._server = server
        self._own = Refusals(stop_after)

    def accepted(self, times: int = 1) -> None:
        """Tell it soon."""
        self._own.accepted(times)
        self._channel.count("taken", self._server, times=times)

    def refused(self, sentence: str) -> str:
        """Tell it; the end of the server's use comes back, if it does not come from here."""
        self._channel.say("refused", self._server, sentence)
        return self._own.refused(sentence)


class TellingTranscript(Transcript):
    """Has the parent write the dialogue: one file, whose lines one process writes."""

    def __init__(self, channel: Channel, number: int, of: int) -> None:
        super().__init__(lambda _: None)
        self._channel = channel
        self._number = number
        self._of = of

    def say(self, number: int, text: str) -> None:
        """Tell one line, under a connection's number that no other process has."""
        self._channel.mention("line", (number - 1) * self._of + self._number + 1, text)
