"""The display of `--quiet`: nothing. Errors are the command's to tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.report.least_time import Limits


class Silence:
    """Watches a run and says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        return

    def announce(self, sentence: str) -> None:
        """Say nothing."""

    def checking(self, done: int, total: int | None) -> None:
        """Say nothing."""

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Say nothing."""

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Say nothing."""

    def all_attempted(self, tried: Sequence[tuple[Delivery, Attempt]]) -> None:
        """Say nothing."""

    def counted(self, before: State, after: State, times: int) -> None:
        """Say nothing."""

    def waiting(self, sentence: str, until: float | None) -> None:
        """Say nothing."""

    def server_changed(self, server: str, sentence: str) -> None:
        """Say nothing."""

    def has_told(self, trouble: str) -> bool:
        """Nothing was told."""
        del trouble
        return False
