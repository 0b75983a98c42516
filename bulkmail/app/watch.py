"""What whoever watches a run is told. The displays of `report/` meet it, and so may a caller."""

from __future__ import annotations

from typing import Protocol

from bulkmail.delivery.ports import Observer
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.least_time import Limits


class Watch(Observer, Protocol):
    """A run's audience. Calls are cheap and never raise."""

    def announce(self, sentence: str) -> None:
        """Something is about to happen, or is worth knowing: one line."""
        ...

    def checking(self, done: int, total: int | None) -> None:
        """`done` rows of `total` were read or checked."""
        ...

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """The run starts; `limit` is how many recipients it will try at most.

        `limits` are the rates of the servers it may use.
        """
        ...


class Audience:
    """Several watches as one."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

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
        for watch in self._watches:
            watch.attempted(delivery, attempt)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.waiting(sentence, until)

    def server_changed(self, server: str, sentence: str) -> None:
        """Tell everybody."""
        for watch in self._watches:
            watch.server_changed(server, sentence)
