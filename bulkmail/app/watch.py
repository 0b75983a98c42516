"""What whoever watches a run is told. The displays of `report/` meet it, and so may a caller."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from bulkmail.delivery.ports import Observer
from bulkmail.delivery.watching import Tried, teller_of_tries
from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.report.least_time import Limits


class Watch(Observer, Protocol):
    """A run's audience. Calls are cheap and never raise."""

    def announce(self, sentence: str) -> None:
        """Something is about to happen, or is worth knowing: one line."""
        ...

    def checking(self, done: int, total: int | None) -> None:
        """`done` rows of `total` were checked; of None: they were read."""
        ...

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """The run starts; `limit` is how many recipients it will try at most.

        `limits` are the rates of the servers it may use.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """A watch that only counts tries: it can be told of many at once, and asks not whose they are.

    What `attempted` would have told it so often.
    """

    def counted(self, before: State, after: State, times: int) -> None:
        """So many tries led from one state to another."""
        ...


class Audience:
    """Several watches as one."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches
        self._tell_of = [teller_of_tries(watch) for watch in watches]

    def announce(self, sentence: str) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.announce(sentence)

    def checking(self, done: int, total: int | None) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.checking(done, total)

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.begin(campaign, counts, limit, limits)

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Tell everybody."""
        self.all_attempted([(delivery, attempt)])

    def all_attempted(self, tried: Tried) -> None:
        """Tell everybody, who can be told of them together."""
        for tell in self._tell_of:
            tell(tried)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.waiting(sentence, until)

    def server_changed(self, server: str, sentence: str) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.server_changed(server, sentence)


class Chorus:
    """Several processes of one run as one, to a watch: what all of them say, said once."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        #: What each of those that run waits for; "": nothing.
        self._waits: dict[int, tuple[str, float | None]] = {}
        #: Whom each server is unusable for, and why.
        self._down: dict[str, dict[int, str]] = {}
        self._told: tuple[str, float | None] = ("", None)

    def waiting(self, number: int, sentence: str, until: float | None) -> None:
        """The run waits while all of its processes do; for what comes first."""
        self._waits[number] = (sentence, until)
        self._tell_wait()

    def server_changed(self, number: int, server: str, sentence: str) -> None:
        """A server is unusable when one says so, and usable when nobody says otherwise."""
        down = self._down.setdefault(server, {})
        if sentence:
            is_news = sentence not in down.values()
            down[number] = sentence
            if is_news:
                self._watch.server_changed(server, sentence)
        elif down.pop(number, None) is not None and not down:
            self._watch.server_changed(server, "")

    def join(self, number: int) -> None:
        """That process has begun, and waits for nothing."""
        self.waiting(number, "", None)

    def leave(self, number: int) -> None:
        """That process has ended."""
        self._waits.pop(number, None)
        self._tell_wait()

    def _tell_wait(self) -> None:
        waits = list(self._waits.values())
        first: tuple[str, float | None] = ("", None)
        if waits and all(sentence for sentence, _ in waits):
            first = min(waits, key=lambda wait: (wait[1] is None, wait[1] or 0.0))
        if first != self._told:
            self._told = first
            self._watch.waiting(*first)
