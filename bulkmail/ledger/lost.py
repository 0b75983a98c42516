"""What stands beside a ledger's file about what it held: a ledger that has lost that is not used.

Who opens a ledger to write to it counts that, and once a second while it writes, and at its end:
in the file (`user_version`), synced, and then in ``<ledger>-locks/opened``. A file that says less
than the folder is an older copy, or what its log held is lost: by it, people would be mailed again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from bulkmail.errors import LedgerError
from bulkmail.ledger.trouble import PRIMARY

#: The lock of who opens a ledger.
OPENING = "open"
#: The count; all others in a ledger's folder are campaigns' locks.
_OPENED = "opened"
#: Seconds of writing that are counted as one.
_INTERVAL = 1.0


def folder_beside(path: Path) -> Path:
    """The folder of a ledger's locks, whether or not it is there.

    Beside the file itself: by whichever symbolic link it is named, the locks are the same.
    """
    file = path.resolve()
    return file.with_name(file.name + "-locks")


def has_lost(path: Path) -> str:
    """What became of a ledger in which something was recorded: it is gone, or empty; or "".

    A power cut on some file systems leaves a file at no length, and so does a copy on a full disk.
    """
    try:
        how = "" if path.stat().st_size else "is empty"
    except FileNotFoundError:
        how = "is gone"
    except OSError:  # its folder is a file, or not to be looked into: opening it says so
        return ""
    if not how:
        return ""
    try:
        names = {lock.name for lock in folder_beside(path).iterdir()}
    except OSError:  # it is not there, or another user's
        return ""
    return how if opened(path) or names - {OPENING, _OPENED} else ""


def refuse_lost(path: Path) -> None:
    """Raise `LedgerError` where a ledger is gone, or empty, in which something was recorded.

    Taken for a new one it would have everybody mailed again.
    """
    if how := has_lost(path):
        raise LedgerError(
            f"The ledger {path} {how}, but it was in use before. Put it back, or restore a copy: "
            "without it everybody would be mailed again, and its suppression list is lost. To "
            f"begin anew nevertheless, remove the folder {folder_beside(path)}"
        )


def opened(path: Path) -> int:
    """What was counted of the ledger, by what stands beside it; 0: not known."""
    try:
        return int((folder_beside(path) / _OPENED).read_text("ascii"))
    except (OSError, ValueError):  # a ledger of before, or another user's; a power cut
        return 0


def refuse_older(connection: sqlite3.Connection, path: Path, known: int) -> None:
    """Raise `LedgerError` where the file has counted less than `known`, read before."""
    if _held(connection) < known:
        raise LedgerError(
            f"The ledger {path} is older than what was recorded in it last: this is an older copy, "
            f"or its log, {path.name}-wal, was removed behind a crash. Who was sent to since would "
            "be mailed again. Put the newest one back; to go on with this one nevertheless, remove "
            f"the folder {folder_beside(path)}"
        )


def count_opening(connection: sqlite3.Connection, path: Path) -> None:
    """Note, in the file and then beside it, that it was opened once more; commits are synced.

    Where another process is writing to it just now, it is not waited for: it has counted itself.
    The connection waits for nobody from then on. Nobody else opens the ledger meanwhile.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY:
            raise
        return
    number = _count(connection)
    connection.execute("COMMIT")
    # Root was the first to count: the file goes on, and is never behind.
    with contextlib.suppress(PermissionError):
        _note(path, number)


class Writing:
    """Counts that one process goes on writing: once a second, and when it has done.

    So a copy that is made under way, and a log that is removed behind a crash, are found to be
    older: they lack a second of what was recorded at most.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Seconds of the clock that nobody sets.
        self._counted_at = time.monotonic()
        #: Whether something was committed that no count is behind.
        self._is_open = False
        #: The last count that was committed; 0: none.
        self.number = 0
        self._noted = 0

    def count(self, connection: sqlite3.Connection) -> int:
        """Count what a transaction writes, within it, where it is time; 0: it is not."""
        is_time = time.monotonic() - self._counted_at >= _INTERVAL
        return _count(connection) if is_time else 0

    def committed(self, number: int) -> None:
        """A transaction was committed, with the count that `count` gave."""
        self._is_open = not number
        if number:
            self._counted_at = time.monotonic()
            self.number = number

    def note(self, number: int) -> None:
        """Say beside the file what it has counted: once that is on the disk, and no sooner."""
        if number == self._noted:
            return
        self._noted = number
        if number > opened(self._path):
            # The folder is another user's, or was removed under way: the file is never behind.
            with contextlib.suppress(OSError):
                _note(self._path, number)

    def end(self, connection: sqlite3.Connection) -> bool:
        """Count the end, where something was written since; whether it was."""
        if not self._is_open:
            return False
        connection.execute("BEGIN IMMEDIATE")
        number = _count(connection)
        connection.execute("COMMIT")
        self.committed(number)
        return True


def _count(connection: sqlite3.Connection) -> int:
    """Count one more, within a transaction: another process may be counting as well."""
    number = _held(connection) + 1
    connection.execute(f"PRAGMA user_version = {number}")
    return number


def _note(path: Path, number: int) -> None:
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
    beside = os.open(folder_beside(path) / _OPENED, flags, 0o600)
    try:
        # Of one length, in one go: it is never half of an older one.
        os.pwrite(beside, b"%010d\n" % number, 0)
    finally:
        os.close(beside)


def _held(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)
