"""The sync of the write-ahead log: behind a commit, no longer within it.

Under `synchronous = FULL` SQLite syncs the log while it holds the write lock, and of the processes
of a run one waits for the disk of all others. Under NORMAL a commit leaves out that sync and
nothing else (sqlite.org/pragma.html#pragma_synchronous). It is made up for here, before anybody is
told that something is durable, so a power cut takes back nothing that was told.

Others see a commit before it is synced. Whatever they write on the strength of it lies behind it
in the one log, so it is on the disk whenever that is; and who folds the log into the file syncs it
first, under NORMAL as well.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path


class LogSync:
    """Syncs the log of one ledger, which a connection of this process keeps open."""

    def __init__(self, path: Path) -> None:
        file = path.resolve()
        self._log = file.with_name(file.name + "-wal")
        self._descriptor: int | None = None
        #: Why a sync failed. The system may take for written what was not, so no later one
        #: makes good for it.
        self.failure: OSError | None = None

    def __call__(self) -> None:
        """Bring all that was committed to the disk. Raises `OSError`, and does not end a lock.

        Where one sync failed, all later ones do: what it should have brought is lost for them.

        (SQLite's locks are on the file and on the log's index: to close the log drops none.)
        """
        if self.failure is not None:
            raise self.failure
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._log, os.O_RDWR | os.O_CLOEXEC)
            _sync(self._descriptor)
        except OSError as error:
            self.failure = error
            raise

    def close(self) -> None:
        """Close the log."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        # What fsync does there may lie in the drive's cache.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)
