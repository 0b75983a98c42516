"""Work functions: how they are run, and how those for rows are run as one."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from bulkmail.value_class import record_class

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[sqlite3.Connection], T]
#: Works on many rows, and returns what came of each.
Fold = Callable[[sqlite3.Connection, Sequence[R]], Sequence[T]]


class Uneven(Exception):
    """Some rows of a `Folded` work fared otherwise than the rest: run them one by one."""


class Folded(Generic[R, T]):
    """A work function for some rows, run with its neighbours as one function for them all.

    What comes of it is what came of each row. The function may raise `Uneven`, but for a row alone.
    """

    __slots__ = ("fold", "rows")

    def __init__(self, fold: Fold[R, T], rows: Sequence[R]) -> None:
        self.fold = fold
        self.rows = rows

    def __call__(self, connection: sqlite3.Connection) -> Any:
        """Run it alone, row by row."""
        return self.told([self.fold(connection, (row,))[0] for row in self.rows])

    def told(self, results: Sequence[T]) -> Any:
        """What comes of it, by what came of its rows."""
        return results


class FoldedRow(Folded[R, T]):
    """The same for one row: what comes of it is what came of that."""

    __slots__ = ()

    def __init__(self, fold: Fold[R, T], row: R) -> None:
        super().__init__(fold, (row,))

    def told(self, results: Sequence[T]) -> T:
        """What came of the row."""
        return results[0]


class Kind(enum.Enum):
    """How a work function is run."""

    #: In one transaction with others.
    WRITE = enum.auto()
    #: As WRITE, and asks for no sync: of use to nobody but for what is written behind it.
    EARLY = enum.auto()
    #: As WRITE, and may wait for a moment, so that others share its commit and its sync.
    PATIENT = enum.auto()
    #: In a transaction of its own: long work, which others should not be undone with.
    ALONE = enum.auto()
    #: As ALONE, and not synced to the disk: of use to nobody before a later commit, which is.
    BULK = enum.auto()
    #: Outside of transactions: it only reads.
    READ = enum.auto()


@record_class
class Job:
    """A work function, who waits for it, and what came of it."""

    work: Any
    kind: Kind
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    #: Whether it is committed, and to be told of once `Conductor.confirm` has been run for it.
    awaits_sync: bool = False

    def resolve(self) -> None:
        """Hand the outcome over; in the future's own loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
            # It is told where it is waited for; where a run ends by another one, nobody waits.
            self.future.exception()
