"""What stands beside a ledger's file about what it held: a ledger that has lost that is not used.

Who opens a ledger to write to it counts that: in the file (`user_version`), synced, and then in
``<ledger>-locks/opened``. A file that says less than the folder is an older copy, or what its log
held is lost: by it, people would be mailed again.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from bulkmail.errors import LedgerError
from bulkmail.ledger.trouble import PRIMARY

#: The lock of who opens a ledger.
OPENING = "open"
#: How often a ledger was opened; all others in its folder are campaigns' locks.
_OPENED = "opened"


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
            f"The ledger {path} {how}, and runs were recorded in it, or who is suppressed. Put it "
            "back, or restore a copy; to begin anew, and mail everybody again, remove it and the "
            f"folder {folder_beside(path)}"
        )


def opened(path: Path) -> int:
    """How often the ledger was opened to be written to, by what stands beside it; 0: not known."""
    try:
        return int((folder_beside(path) / _OPENED).read_text("ascii"))
    except (OSError, ValueError):  # a ledger of before, or another user's; a power cut
        return 0


def refuse_older(connection: sqlite3.Connection, path: Path, known: int) -> None:
    """Raise `LedgerError` where the file was opened less often than `known`, read before."""
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
    number = _held(connection) + 1
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute(f"PRAGMA user_version = {number}")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY:
            raise
        return
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
    try:
        beside = os.open(folder_beside(path) / _OPENED, flags, 0o600)
    except PermissionError:  # root was the first to count; the file goes on, and is never behind
        return
    try:
        # Of one length, in one go: it is never half of an older one.
        os.pwrite(beside, b"%010d\n" % number, 0)
    finally:
        os.close(beside)


def _held(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)
