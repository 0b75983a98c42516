"""How well a server does in this run: a pure state machine that says how much it may be given.

Slow start: one connection first, and twice as many with each good reply, so that a wrong password
is tried once and not by every connection, and a server far away is not waited for long. Where it
takes fewer connections than it may be given, and says so to one that comes beside others at work,
it is left with those, and has one more when these have done well for a while. After
failures in a row the server rests, longer each time, and comes back half-open: one delivery is its
probe. What ends its use for the run: a refused login, TLS that cannot be trusted, too many rests
without a good reply between, too many messages that it refused, in a row or of the last hundred (a
spam verdict would burn the whole list).
"""

from __future__ import annotations

from bulkmail.delivery.refusals import Refusals, Verdicts
from bulkmail.settings import StopSettings

#: Seconds of the first rest; doubles up to the cap.
FIRST_REST = 1.0
LONGEST_REST = 60.0
#: Rests in a row after which a server is given up: soon when it never worked in this run (a wrong
#: port is told in seconds), after about a quarter of an hour when it did (it may be restarting).
RESTS_BEFORE_FIRST_SUCCESS = 3
RESTS_AFTER_SUCCESS = 20
#: The same for one that never worked and says "later" instead of greeting: a port that is right,
#: and connections of a run that was killed may be counted yet. A quarter of a minute.
RESTS_WHILE_BUSY = 5
#: Seconds of the first rest of a server that said "later" instead of greeting, once it has worked;
#: doubles up to the cap.
FIRST_RESPITE = 5.0
LONGEST_RESPITE = 300.0
#: Good replies after which a server that was given too many connections is tried with one more;
#: twice as many each time that it still is one too many.
GOOD_REPLIES = 200


class Health:
    """One server's health in one run. Times are epoch seconds."""

    def __init__(
        self,
        connections: int,
        *,
        is_patient: bool = True,
        stop_after: StopSettings | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        """`verdicts` counts refused messages, where others send to this server as well."""
        #: At most so many connections: as many as are allowed, or as it takes.
        self.connections = connections
        self._allowed = connections
        self._good_replies = 0
        self._wanted_replies = GOOD_REPLIES
        self._verdicts = verdicts or Refusals(stop_after)
        self._is_patient = is_patient
        self._allowance = 1
        self._has_worked = False
        self._failures = 0
        self._rests = 0
        #: Moment until which it rests; 0 when it does not.
        self.rests_until = 0.0
        #: Why it rests or was given up, for a person.
        self.sentence = ""
        #: What else there is to say: what the provider wants as a password.
        self.hint = ""
        #: Whether it rests for a spent quota or because it asked, and not because it failed.
        self.is_out_of_quota = False
        #: Whether it is out of use for the rest of the run.
        self.is_stopped = False
        #: Counts the rests; a failure that began before the last one is not news.
        self.round = 0

    @property
    def is_well(self) -> bool:
        """Whether it may be given something at any time: it neither rests nor is stopped."""
        return not self.is_stopped and not self.rests_until

    def allowance(self, now: float) -> int:
        """How many deliveries may be in its hands at `now`."""
        return 0 if self.is_stopped or now < self.rests_until else self._allowance

    def succeeded(self, times: int = 1) -> None:
        """It did its part of the dialogue well so often, whatever it said of a recipient."""
        if self.is_stopped:
            # What was on the wire when its use ended changes nothing, nor why it did.
            return
        self._has_worked = True
        self._failures = 0
        self._rests = 0
        self.rests_until = 0.0
        self.is_out_of_quota = False
        self.sentence = ""
        if self.connections < self._allowed:
            self._consider_one_more(times)
        self._allowance = min(self.connections, self._allowance << times)

    def accepted(self, messages: int = 1) -> None:
        """It took a message, or so many."""
        self._verdicts.accepted(messages)
        self.succeeded(messages)

    def refused_message(self, sentence: str) -> None:
        """It refused a message for good, for a reason that is not the recipient."""
        self.succeeded()
        if end := self._verdicts.refused(sentence):
            self.stop(end)

    def failed(
        self,
        sentence: str,
        *,
        now: float,
        began_in: int,
        at_once: bool = False,
        is_busy: bool = False,
    ) -> None:
        """A session broke or could not be opened, or the server refused us.

        `began_in` is the `round` in which that try began. `at_once`: there is no use in trying on
        other connections first (none can be opened). `is_busy`: it said "later" instead of
        greeting; one that has worked in this run is left alone for longer then.
        """
        if began_in != self.round or self.is_stopped:
            return
        self._failures += 1
        self.sentence = sentence
        if at_once or self._failures >= max(3, self._allowance):
            self._rest(now, is_busy=is_busy)

    def crowded(self, beside: int) -> None:
        """It turned a connection away, and has so many others of ours."""
        if self.connections < self._allowed:
            self._wanted_replies *= 2
        self.connections = min(self.connections, beside)
        self._allowance = min(self._allowance, beside)
        self._good_replies = 0

    def rest(self, until: float, sentence: str) -> None:
        """Leave it alone until then for a reason that is no failure: a quota is spent, it asks."""
        self.is_out_of_quota = True
        self.rests_until = max(self.rests_until, until)
        self.sentence = sentence

    def stop(self, sentence: str, hint: str = "") -> None:
        """Out of use for the rest of the run."""
        self.is_stopped = True
        self.sentence = sentence
        self.hint = hint

    def _consider_one_more(self, good_replies: int) -> None:
        self._good_replies += good_replies
        if self._good_replies >= self._wanted_replies:
            self.connections += 1
            self._good_replies = 0

    def _rest(self, now: float, *, is_busy: bool) -> None:
        self._rests += 1
        self.round += 1
        self._failures = 0
        self._allowance = 1
        most = RESTS_BEFORE_FIRST_SUCCESS
        if self._is_patient:
            most = RESTS_WHILE_BUSY if is_busy else most
            most = RESTS_AFTER_SUCCESS if self._has_worked else most
        if self._rests >= most:
            self.stop(self.sentence)
        else:
            self.is_out_of_quota = False
            first, longest = FIRST_REST, LONGEST_REST
            # Of a server that counts connections, one of ours that it still closes is soon gone.
            is_crowded = self.connections < self._allowed
            if is_busy and self._has_worked and not is_crowded:
                first, longest = FIRST_RESPITE, LONGEST_RESPITE
            self.rests_until = now + min(longest, first * 2.0 ** (self._rests - 1))
