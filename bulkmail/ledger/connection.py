"""Opening the ledger's file: permissions, pragmas, migrations.

WAL under `synchronous = NORMAL` (sqlite.org/pragma.html#pragma_synchronous): a commit survives the
death of the process, `kill -9` too, and may be lost in a power cut, which cannot damage the file.
Where a power cut is to be survived as well, the log is synced behind each commit (`log_sync`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from bulkmail.errors import LedgerError
from bulkmail.ledger import schema
from bulkmail.ledger.lost import (
    OPENING,
    count_opening,
    folder_beside,
    opened,
    refuse_lost,
    refuse_older,
)
from bulkmail.ledger.statements import load
from bulkmail.ledger.trouble import BUSY_TIMEOUT, SQLITE_ERRORS, ledger_error

#: What a commit survives: a power cut, or the death of the process alone.
Durability = Literal["power", "process"]

#: 16 MiB between folding the log into the file: a page that is written again meanwhile is folded in
#: once, and most are. SQLite's own default, a quarter of it, costs a third of a mark.
CHECKPOINT = "PRAGMA wal_autocheckpoint = 4000"
#: For many rows in a row, which touch pages all over the indexes: 64 MiB.
BULK_CHECKPOINT = "PRAGMA wal_autocheckpoint = 16000"
#: Everything into the file itself, and an empty log: it may hold pages as they were.
FOLD_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    # Row data is personal: what is deleted is overwritten.
    "PRAGMA secure_delete = ON",
    # macOS alone: fsync there does not reach the platter. A no-op elsewhere.
    "PRAGMA fullfsync = ON",
    # 4 MiB. With 16 a shuffled list was enrolled no quicker, and a long one took more memory.
    "PRAGMA cache_size = -4096",
    # A log that one big transaction blew up is cut back.
    "PRAGMA journal_size_limit = 67108864",
    CHECKPOINT,
)
#: A state is checked by a list of seven, which SQLite makes anew for each row that is written: a
#: fifth of a mark, a seventh of an enrolment. What writes is held to it in memory, by the tests.
_TRUST_STATES = "PRAGMA ignore_check_constraints = ON"

# Of each null, and of octets, sqlite3 asks whether there is a way to adapt them, and makes an error
# where there is none: to bind it takes as long as ten texts. They stay what they are.
sqlite3.register_adapter(type(None), dict[None, None]().get)
sqlite3.register_adapter(bytes, bytes)


def lock_folder(path: Path) -> Path:
    """The folder of the locks beside a ledger; made when absent, 0700."""
    folder = folder_beside(path)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def open_memory(now: float) -> sqlite3.Connection:
    """A new ledger in memory, which moves to a nameless temporary file as it grows.

    A million rows cost the cache's size, and the file is unlinked from the start (sqlite.org,
    "Temporary Databases").
    """
    connection = _connect("")
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    schema.migrate(connection, None, now)
    return connection


def open_file(path: Path, now: float) -> sqlite3.Connection:
    """The ledger at `path`, made or migrated where needed. Raises `LedgerError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            refuse_lost(path)
            _make(path)
            _refuse_second_name(path)
            return _prepared(path, now)
    except (*SQLITE_ERRORS, OSError) as error:
        raise ledger_error(error, path) from error


def _make(path: Path) -> None:
    """An empty file where there is none; one that is there is not opened, not for an instant.

    Who closes any descriptor of a file drops all POSIX locks that his process has on it
    (sqlite.org/howtocorrupt.html, 2.2): another process would take itself for the last one out,
    and delete the log that this one goes on writing to.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # SQLite would make it by the umask; its log and index take the permissions of the file.
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path.resolve(), flags, 0o600))


def _refuse_second_name(path: Path) -> None:
    """Raise `LedgerError` where the file has a second name: a log and locks stand beside each.

    Who writes by one would know nothing of who writes by the other, and both would damage it
    (sqlite.org/howtocorrupt.html, 2.5).
    """
    if path.stat().st_nlink > 1:
        raise LedgerError(
            f"The ledger {path} has a second name, a hard link: runs by the two would know nothing "
            "of one another, and mail everybody twice. Remove one (`find DIR -samefile` finds "
            "it), or make it a copy"
        )


def _prepared(path: Path, now: float) -> sqlite3.Connection:
    known = opened(path)
    connection = _connect(_uri(path, "rw"))
    try:
        refuse_older(connection, path, known)
        # Before the journal's mode, which is a write: whose file is it?
        current = schema.is_current(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if not current:
            schema.migrate(connection, path, now)
        connection.execute(_TRUST_STATES)
        count_opening(connection, path)
        # Until here it was FULL.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path, now: float) -> sqlite3.Connection:
    """The ledger at `path` for reading: nothing is made, nothing changed. Raises `LedgerError`.

    An older one is read through a migrated copy in memory.
    """
    try:
        refuse_lost(path)
        known = opened(path)
        connection = _readable(path)
        try:
            refuse_older(connection, path, known)
            if schema.is_current(connection, path):
                return connection
            copied = _connect(":memory:")
            connection.backup(copied)
        except BaseException:
            connection.close()
            raise
        connection.close()
        schema.migrate(copied, None, now)
    except (*SQLITE_ERRORS, OSError) as error:
        raise ledger_error(error, path) from error
    return copied


def _readable(path: Path) -> sqlite3.Connection:
    """A connection that leaves the folder as it was.

    With mode=ro SQLite makes the log and its index where they are absent, and leaves them behind;
    with mode=rw the last one out folds the log into the file. So: ro where there is a log, rw and
    `query_only` where there is none. On a disk that cannot be written neither can make the index,
    but without a log nobody writes either, and the file is read as it stands.
    """
    log = path.with_name(path.name + "-wal")
    connection = _connect(_uri(path, "ro" if log.exists() else "rw"))
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(load("schema")["find tables"]).fetchone()
    except sqlite3.OperationalError:
        connection.close()
        is_writable = os.access(path.parent, os.W_OK, effective_ids=True)
        if log.exists() or not path.exists() or is_writable:
            raise
        return _connect(_uri(path, "ro") + "&immutable=1")
    return connection


def _connect(database: str) -> sqlite3.Connection:
    return sqlite3.connect(
        database, timeout=BUSY_TIMEOUT, isolation_level=None, uri=True, cached_statements=256
    )


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from opening the ledger meanwhile: two that make or migrate it would collide."""
    lock = os.open(lock_folder(path) / OPENING, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
