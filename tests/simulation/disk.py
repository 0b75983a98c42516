"""The ledger's disk: what is on it survives a process; what was synced, a machine.

`SimDriver` is the two threads of `ThreadDriver` in virtual time: what waits shares one group, a
commit takes a while, and so does the sync behind it, with the next commits beside it. Statements
run inline at the moment of the commit, so a process that dies before it has written nothing, and
one that dies after it has written, and does not know. What is told before its sync, a power cut
may take back.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from random import Random

from simulation.loop import VirtualLoop
from simulation.process import Process

from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.driver import GROUP
from bulkmail.ledger.groups import Conductor
from bulkmail.ledger.jobs import Job, Kind, T, Work
from bulkmail.ledger.log_sync import LogSync

#: Octets. A statement touches a few pages, and each is copied before it is written to.
_PAGE = 1024


@functools.cache
def _blank() -> bytes:
    """A ledger with its schema, and nothing in it: made once for all seeds."""
    with (
        contextlib.closing(open_memory(0.0)) as made,
        contextlib.closing(sqlite3.connect(":memory:")) as small,
    ):
        small.execute(f"PRAGMA page_size = {_PAGE}")
        small.executescript("\n".join(made.iterdump()))
        return small.serialize()


#: What a story writes into a ledger: who is referred to comes last.
_WRITTEN = (
    "attempt",
    "delivery",
    "duplicate",
    "campaign",
    "checked_file",
    "checked",
    "occurrence",
    "series",
    "pace",
    "quota",
    "slowdown",
    "suppression",
    "warm_up",
)
#: Asked of each job, a dozen thousand times a seed: in C.
_KIND, _AWAITS_SYNC = attrgetter("kind"), attrgetter("awaits_sync")
#: Of power cuts, how many take back what was not synced.
_GONE = 0.7
#: Disks that are empty again: SQLite has compiled the statements on them, a twentieth of a seed.
_EMPTY: list[sqlite3.Connection] = []


def _empty() -> sqlite3.Connection:
    return _EMPTY.pop() if _EMPTY else _opened(_blank())


def _opened(image: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.deserialize(image)
    return connection


class _Alone(Conductor):
    """On a disk in memory there is no other process to wait for, and SQLite need not be told.

    What is to be synced is for `SimDriver` to see to.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection, None, "power")
        self._sync = LogSync(Path())

    def _wait_at_most(self, seconds: int) -> None:
        """Nobody else begins anything meanwhile."""

    def _patiently(self, step: Callable[[], None]) -> None:
        step()


@dataclass
class Disk:
    """A machine's disk with a ledger, and the operating system's locks on it."""

    connection: sqlite3.Connection = field(default_factory=_empty)
    #: Whether the power may go: what is synced need be kept only then.
    may_lose_power: bool = True
    #: Campaigns whose lock is held.
    held: set[str] = field(default_factory=set)
    commits: int = 0
    #: Told of each commit, when it is on the disk and nobody knows yet.
    committed: Callable[[], None] = lambda: None
    #: As it was when the last sync began that has ended, and how many commits it had then.
    _synced: tuple[int, bytes] = field(default_factory=lambda: (0, _blank()))

    def __post_init__(self) -> None:
        # An error of a group is its jobs' own, and none of the simulation's is a disk's.
        self._conductor = _Alone(self.connection)

    def run(self, group: list[Job]) -> bool:
        """Run a group, as the writer thread does. Whether anything was written."""
        self._conductor.run(group)
        is_written = [*map(_KIND, group)].count(Kind.READ) < len(group)
        if is_written:
            self.commits += 1
            self.committed()
        return is_written

    def begin_sync(self) -> tuple[int, bytes]:
        """What a sync that begins now covers: for `end_sync`."""
        return self.commits, self.connection.serialize() if self.may_lose_power else b""

    def end_sync(self, covered: tuple[int, bytes]) -> None:
        """It is over; another process's that covers more may have ended before."""
        self._synced = max(self._synced, covered)

    def close(self) -> None:
        """Let go of it. Its memory is the next one's, with nothing in it."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")
        for table in _WRITTEN:
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608  # names of ours
        self.connection.execute("COMMIT")
        _EMPTY.append(self.connection)

    def lose_power(self, dice: Random) -> None:
        """What was not synced is gone; or the system had written it all by itself."""
        assert self.may_lose_power
        if dice.random() < _GONE:
            self.connection.close()
            self.connection = _opened(self._synced[1])
            self.__post_init__()
        self._synced = self.begin_sync()
        self.held.clear()


class SimDriver:
    """One process's connection to the disk."""

    def __init__(self, disk: Disk, loop: VirtualLoop, process: Process, dice: Random) -> None:
        self._disk = disk
        self._loop = loop
        self._process = process
        self._dice = dice
        self._waiting: list[Job] = []
        self._committed: list[Job] = []
        self._is_busy = False
        self._is_syncing = False
        #: When something is told next: nothing overtakes it.
        self._told_at = 0.0
        #: Seconds a commit takes, about, and so a sync.
        self._pace = dice.choice((0.0005, 0.002, 0.008, 0.03))

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        """Queue `work` for the next group."""
        job = Job(work, kind, self._loop.create_future())
        if self._process.is_dead:
            return job.future
        self._waiting.append(job)
        if not self._is_busy:
            self._is_busy = True
            self._at(self._soon(), self._commit)
        return job.future

    def hurry(self) -> None:
        """Nothing waits for others here."""

    async def close(self) -> None:
        """Wait for what was submitted."""
        await self.submit(lambda _: None)

    def _soon(self) -> float:
        return self._loop.now + self._pace * self._dice.random()

    def _at(self, at: float, step: Callable[..., None], *arguments: object) -> None:
        self._loop.call_at(at, step, *arguments, context=self._process.context)

    def _commit(self) -> None:
        group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
        is_written = self._disk.run(group)
        if self._process.is_dead:
            return
        if self._is_syncing or True in map(_AWAITS_SYNC, group):
            # What is told is told in the order it was asked for.
            self._committed += group
            if not self._is_syncing:
                self._begin_sync()
        elif is_written:
            self._at(self._next_telling(), _tell, group)
        else:
            # No death tells apart what was read and not heard of.
            _tell(group)
        if self._waiting:
            self._at(self._soon(), self._commit)
        else:
            self._is_busy = False

    def _next_telling(self) -> float:
        self._told_at = max(self._told_at, self._soon())
        return self._told_at

    def _begin_sync(self) -> None:
        self._is_syncing = True
        jobs, self._committed = self._committed, []
        self._at(self._next_telling(), self._end_sync, jobs, self._disk.begin_sync())

    def _end_sync(self, jobs: list[Job], covered: tuple[int, bytes]) -> None:
        if True in map(_AWAITS_SYNC, jobs):
            self._disk.end_sync(covered)
        _tell(jobs)
        if self._committed:
            self._begin_sync()
        else:
            self._is_syncing = False


def _tell(jobs: list[Job]) -> None:
    for job in jobs:
        job.resolve()
