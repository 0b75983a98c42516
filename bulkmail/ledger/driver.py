"""The port beneath the ledger: work functions over one sqlite3 connection.

A work function takes the connection, runs statements and returns a value; it neither begins nor
commits, and may be run a second time after a rollback, so it changes nothing but the database.
`ThreadDriver` runs them in one writer thread: all that wait share one transaction (a natural group
commit), and another thread syncs it while the next one runs. `InlineDriver` runs each at once in
the caller: for memory, and for tests that must not depend on a thread's timing. `ScratchDriver`
runs what was asked for in one turn of the loop together: for paper that is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

from bulkmail.ledger.connection import Durability, open_file, open_memory, open_read_only
from bulkmail.ledger.groups import Conductor
from bulkmail.ledger.jobs import Job, Kind, T, Work
from bulkmail.ledger.trouble import ledger_error

#: With so many work functions a commit waits for no more: a bound on how long the first one waits.
GROUP = 200
#: Seconds for which what is patient waits for others.
PATIENCE = 0.025


class Driver(Protocol):
    """Where statements run. Everything raises `LedgerError` and no sqlite3 error."""

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        """Run `work`, even if the caller stops waiting. The future is done as its kind says."""
        ...

    def hurry(self) -> None:
        """Run what was submitted, be it patient."""
        ...

    async def close(self) -> None:
        """Run what was submitted, then close the file."""
        ...


class InlineDriver:
    """Runs each work function at once, in the caller, in a transaction of its own."""

    def __init__(
        self, path: Path | None = None, durability: Durability = "power", *, now: float = 0.0
    ) -> None:
        connection = open_file(path, now) if path else open_memory(now)
        self._conductor = Conductor(connection, path, durability)

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        """Run `work` now; the future is done when this returns."""
        job = Job(work, kind, asyncio.get_running_loop().create_future())
        self._conductor.run([job])
        if job.awaits_sync:
            self._conductor.confirm([job])
        job.resolve()
        return job.future

    def hurry(self) -> None:
        """Nothing waits here."""

    async def close(self) -> None:
        """Close the file; what was in memory is gone."""
        self._conductor.close()


class ScratchDriver:
    """In memory: all that is submitted in one turn of the event loop shares a transaction.

    A transaction each would take three times as long as what is written in it.
    """

    def __init__(self, *, now: float = 0.0) -> None:
        self._conductor = Conductor(open_memory(now), None, "process")
        self._jobs: list[Job] = []

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        """Run `work` in the loop's next turn."""
        loop = asyncio.get_running_loop()
        job = Job(work, kind, loop.create_future())
        if not self._jobs:
            loop.call_soon(self._run)
        self._jobs.append(job)
        return job.future

    def hurry(self) -> None:
        """Nothing waits longer than a turn."""

    async def close(self) -> None:
        """Run what was submitted; then everything is gone."""
        self._run()
        self._conductor.close()

    def _run(self) -> None:
        jobs, self._jobs = self._jobs, []
        self._conductor.run(jobs)
        _resolve(jobs)


class ThreadDriver:
    """Runs work functions in one thread, in groups; a second one syncs. Use `start` first."""

    def __init__(
        self,
        path: Path,
        durability: Durability = "power",
        *,
        now: float = 0.0,
        read_only: bool = False,
    ) -> None:
        self._path = path
        self._durability = durability
        self._open: Callable[[], sqlite3.Connection] = (
            partial(open_read_only, path, now) if read_only else partial(open_file, path, now)
        )
        #: What was submitted in one turn of a loop, to the thread; None: close.
        self._turns: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        #: Submitted in this turn. Handed over together: each would wake the thread by itself.
        self._jobs: list[Job] = []
        #: When they are handed over; None: none waits.
        self._handing: asyncio.Handle | None = None
        #: Whether that is later than at the end of this turn.
        self._is_patient = False
        #: Groups that were run, to the thread that syncs; an empty one: close.
        self._committed: queue.SimpleQueue[list[Job]] = queue.SimpleQueue()
        #: How many of them it is done with.
        self._told = 0
        # A daemon, so that a program which forgot to close can end; SQLite survives that.
        self._thread = threading.Thread(target=self._main, name="ledger", daemon=True)
        self._opened: asyncio.Future[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Open the file, in the thread. Raises `LedgerError`."""
        self._opened = asyncio.get_running_loop().create_future()
        self._thread.start()
        try:
            await self._opened
        except asyncio.CancelledError:
            # Nobody has it to close it. Not waited for: a file that is locked opens late.
            self._closed = True
            self._turns.put(None)
            raise

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        """Queue `work` for the next group, at the end of the loop's turn."""
        if self._closed:
            raise ledger_error(sqlite3.ProgrammingError("it was closed"), self._path)
        loop = asyncio.get_running_loop()
        job = Job(work, kind, loop.create_future())
        if self._handing is None or (self._is_patient and kind is not Kind.PATIENT):
            self._hand_over_when(kind, loop)
        self._jobs.append(job)
        return job.future

    def hurry(self) -> None:
        """Hand over what was submitted at the end of the loop's turn, be it patient."""
        if self._handing is not None and self._is_patient:
            self._hand_over_when(Kind.WRITE, asyncio.get_running_loop())

    async def close(self) -> None:
        """Run what was submitted, close the file, end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._turns.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over_when(self, kind: Kind, loop: asyncio.AbstractEventLoop) -> None:
        """With all that waits: who is in a hurry takes the others along, in their order."""
        if self._handing is not None:
            self._handing.cancel()
        self._is_patient = kind is Kind.PATIENT
        if self._is_patient:
            self._handing = loop.call_later(PATIENCE, self._hand_over)
        else:
            self._handing = loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing = None
        jobs, self._jobs = self._jobs, []
        if jobs:
            self._turns.put(jobs)

    def _main(self) -> None:
        """The thread: open, run groups, close."""
        assert self._opened is not None  # noqa: S101  # start() set it
        opening = Job(lambda _: None, Kind.READ, self._opened)
        try:
            conductor = Conductor(self._open(), self._path, self._durability)
            syncer = self._begin_syncing(conductor)
        except BaseException as error:  # noqa: BLE001  # whoever awaits start() gets it
            opening.error = error
            _deliver([opening])
            return
        _deliver([opening])
        handed_on = 0
        with contextlib.closing(conductor):
            while group := self._gather():
                conductor.run(group)
                # What is told is told in the order it was asked for: a row may be claimed again
                # before its result is synced, and is not to be in hand before that is known.
                if handed_on == self._told and not any(job.awaits_sync for job in group):
                    _deliver(group)
                else:
                    handed_on += 1
                    self._committed.put(group)
            self._committed.put([])
            syncer.join()

    def _begin_syncing(self, conductor: Conductor) -> threading.Thread:
        syncer = threading.Thread(
            target=self._sync, args=(conductor,), name="ledger sync", daemon=True
        )
        try:
            syncer.start()
        except BaseException:
            conductor.close()
            raise
        return syncer

    def _sync(self, conductor: Conductor) -> None:
        """The other thread: sync what was committed, in its order, while the next group runs."""
        is_open = True
        while is_open:
            groups = [self._committed.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    groups.append(self._committed.get_nowait())
            is_open = all(groups)
            jobs = list(chain.from_iterable(groups))
            conductor.confirm([job for job in jobs if job.awaits_sync])
            _deliver(jobs)
            self._told += len(groups)

    def _gather(self) -> list[Job]:
        """The jobs that wait now; waits for the first. Empty: close was asked for."""
        group: list[Job] = []
        with contextlib.suppress(queue.Empty):
            jobs = self._turns.get()
            while jobs is not None:
                group += jobs
                if len(group) >= GROUP:
                    return group
                jobs = self._turns.get_nowait()
            if group:
                self._turns.put(None)
        return group


def _deliver(group: list[Job]) -> None:
    """Resolve the futures in their loops, with one wake-up for each loop."""
    loops = {job.future.get_loop() for job in group}
    for loop in loops:
        mine = group if len(loops) == 1 else [job for job in group if job.future.get_loop() is loop]
        # RuntimeError: the loop is closed, and nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(group: list[Job]) -> None:
    for job in group:
        job.resolve()
