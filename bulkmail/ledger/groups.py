"""How jobs become transactions on one connection."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from bulkmail.errors import LedgerError
from bulkmail.ledger.connection import BULK_CHECKPOINT, CHECKPOINT, Durability
from bulkmail.ledger.jobs import Folded, Job, Kind, Uneven
from bulkmail.ledger.log_sync import LogSync
from bulkmail.ledger.lost import Writing
from bulkmail.ledger.trouble import BUSY_TIMEOUT, PRIMARY, SQLITE_ERRORS, ledger_error, sync_error

#: Seconds between two questions whether another process has done writing.
_INTERVAL = 0.001

#: Told of when they are durable.
_SYNCED = (Kind.WRITE, Kind.PATIENT, Kind.ALONE)
#: Neighbours share a transaction.
_TOGETHER = (Kind.WRITE, Kind.PATIENT, Kind.EARLY)


class Conductor:
    """Runs jobs on one connection. sqlite3 errors become `LedgerError` here."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, durability: Durability
    ) -> None:
        self._connection = connection
        self._path = path
        self._file = None if path is None else path.stat()
        self._sync = None if path is None else LogSync(path)
        self._writing = None if path is None else Writing(path)
        #: Whether each commit is to survive a power cut.
        self._is_durable = durability == "power"
        #: Never set: a wait for it is an interval, in the driver's own thread.
        self._interval = threading.Event()
        #: Seconds for which SQLite itself waits for another process; None: not known.
        self._waits: int | None = None

    def run(self, group: Sequence[Job]) -> None:
        """Run the jobs in their order: neighbours that write share a transaction."""
        together: list[Job] = []
        for job in group:
            if job.kind in _TOGETHER:
                together.append(job)
                continue
            self._transact(together)
            together = []
            match job.kind:
                case Kind.READ:
                    self._read(job)
                case Kind.BULK:
                    self._bulk(job)
                case Kind.ALONE:
                    self._transact([job])
        self._transact(together)

    def confirm(self, jobs: Sequence[Job]) -> None:
        """Make durable what they wrote; where that fails, all of it may be lost in a power cut.

        For those of a group that await it. One sync is for all that was committed before.
        """
        if self._sync is None or not jobs:
            return
        try:
            self._sync_and_note(self._sync)
        except OSError as error:
            for job in jobs:
                job.error = sync_error(error, self._path)

    def close(self) -> None:
        """Close the connection. What was written last is counted, where nobody else writes."""
        if self._sync is not None and self._writing is not None:
            # Where that fails, all that anybody was told of is on the disk all the same.
            with contextlib.suppress(sqlite3.Error, OSError):
                self._wait_at_most(0)
                if self._writing.end(self._connection):
                    self._sync_and_note(self._sync)
            self._sync.close()
        self._connection.close()

    def _sync_and_note(self, sync: LogSync) -> None:
        # Before the sync: what is committed while it runs is not covered by it.
        number = 0 if self._writing is None else self._writing.number
        sync()
        if self._writing is not None:
            self._writing.note(number)

    def _read(self, job: Job) -> None:
        try:
            self._wait_at_most(BUSY_TIMEOUT)
            job.result = job.work(self._connection)
        except SQLITE_ERRORS as error:
            job.error = ledger_error(error, self._path)
        except BaseException as error:  # noqa: BLE001  # whoever awaits it gets it
            job.error = error

    def _bulk(self, job: Job) -> None:
        try:
            self._connection.execute(BULK_CHECKPOINT)
            try:
                self._transact([job])
            finally:
                self._connection.execute(CHECKPOINT)
        except SQLITE_ERRORS as error:
            job.error = ledger_error(error, self._path)

    def _transact(self, group: list[Job], *, is_folded: bool = True) -> None:
        """One transaction. When it fails, all its jobs fail.

        But a job's own error (a name that is taken) is its own: the others are run again
        without it.
        """
        if not group:
            return
        try:
            self._patiently(self._begin)
            self._insist_on_file()
            self._insist_on_disk()
            if is_folded:
                self._work_folded(group)
            else:
                self._work(group)
            number = self._writing.count(self._connection) if self._writing is not None else 0
            self._patiently(self._commit)
        except Uneven:
            self._roll_back()
            self._transact(group, is_folded=False)
        except SQLITE_ERRORS as error:
            self._roll_back()
            for job in group:
                job.error = ledger_error(error, self._path)
        except BaseException as error:  # noqa: BLE001  # whoever awaits it gets it
            self._roll_back()
            if len(group) == 1:
                group[0].error = error
                return
            for job in group:
                self._transact([job])
        else:
            self._note_committed(group, number)

    def _note_committed(self, group: Iterable[Job], number: int) -> None:
        """With what was counted in the file: that is to be on the disk before it stands beside."""
        if self._writing is not None:
            self._writing.committed(number)
        for job in group:
            job.awaits_sync = self._sync is not None and (
                number > 0 or (self._is_durable and job.kind in _SYNCED)
            )

    def _work(self, group: Iterable[Job]) -> None:
        for job in group:
            job.result = job.work(self._connection)

    def _work_folded(self, group: Iterable[Job]) -> None:
        """As `_work`, but neighbours with the same `Folded` work in one go."""
        folded: list[Job] = []
        for job in group:
            is_folded = isinstance(job.work, Folded)
            if folded and not (is_folded and job.work.fold is folded[0].work.fold):
                self._fold(folded)
                folded = []
            if is_folded:
                folded.append(job)
            else:
                job.result = job.work(self._connection)
        if folded:
            self._fold(folded)

    def _fold(self, jobs: Sequence[Job]) -> None:
        rows = [row for job in jobs for row in job.work.rows]
        results = iter(jobs[0].work.fold(self._connection, rows))
        for job in jobs:
            job.result = job.work.told(list(islice(results, len(job.work.rows))))

    def _begin(self) -> None:
        """Begin; as a script with the interpreter let go once, where a statement does so thrice.

        A busy loop gives it back late: beside one, 0.1 ms instead of 0.4 to begin.
        """
        if self._connection.in_transaction:
            # A script would commit what could not be rolled back; this says that it is there.
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executescript("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        """Commit; in one go with the interpreter let go once, where a statement does so thrice."""
        if not self._connection.in_transaction:
            # Of a transaction that ended by itself, the method says nothing.
            self._connection.execute("COMMIT")
        self._connection.commit()

    def _patiently(self, step: Callable[[], None]) -> None:
        """Begin or commit, in turn with the other processes of a run.

        SQLite's own waiting sleeps longer each time, up to 100 ms, and whoever commits all the time
        overtakes it: of two processes one would wait for a second at a time. So it is asked again
        at short intervals, for as long in all.
        """
        self._wait_at_most(0)
        until: float | None = None
        while True:
            try:
                step()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY:
                    raise
                # By the clock that nobody sets: on a busy machine an interval takes far longer.
                now = time.monotonic()
                until = now + BUSY_TIMEOUT if until is None else until
                if now >= until:
                    raise
            else:
                return
            self._interval.wait(_INTERVAL)

    def _wait_at_most(self, seconds: int) -> None:
        """Have SQLite itself wait so long for another process; it is told where that is news."""
        if seconds != self._waits:
            self._connection.execute(f"PRAGMA busy_timeout = {seconds * 1000}")
            self._waits = seconds

    def _insist_on_file(self) -> None:
        """Raise where the file was removed or replaced: what is written now, nobody would find."""
        if self._path is None or self._file is None:
            return
        try:
            is_there = os.path.samestat(os.stat(self._path), self._file)  # noqa: PTH116  # thrice as fast
        except OSError:
            is_there = False
        if not is_there:
            raise LedgerError(
                f"The ledger {self._path}: the file was removed or replaced under way. Put it back "
                "before anything more is sent: a new one would mail everybody again"
            )

    def _insist_on_disk(self) -> None:
        """Raise where what was written may never have come to the disk."""
        if self._sync is not None and self._sync.failure is not None:
            raise sync_error(self._sync.failure, self._path)

    def _roll_back(self) -> None:
        # A full disk ends the transaction by itself (sqlite.org/lang_transaction.html); and where
        # the rollback fails too, the next BEGIN says so.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
