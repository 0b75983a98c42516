"""Whose file is whose: two people never get the same one, and what was checked is what is sent.

The first time a row's file is looked at it is noted, with its size and time. From then on it has to
be that file, unchanged; and a file that is to be one person's own is nobody else's. The notes are
a temporary table that SQLite keeps on disk: a million rows cost no memory.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import weakref
from functools import lru_cache
from pathlib import Path

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE noted (
    entry INTEGER, row INTEGER, path BLOB, size INTEGER, changed_at INTEGER,
    address TEXT, is_unique INTEGER,
    PRIMARY KEY (entry, row)
) WITHOUT ROWID;
CREATE INDEX noted_path ON noted (path);
"""


class FileOwners:
    """The files of all rows of one campaign. For one thread."""

    def __init__(self) -> None:
        # A temporary database on disk, seen by nobody else, gone with the connection. The collector
        # may run, and close it, in any thread.
        self._notes = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._notes.executescript(_SCHEMA)
        self._notes.execute("BEGIN")
        weakref.finalize(self, self._notes.close)

    def problem(
        self, entry: int, row: int, address: str, path: Path, *, is_unique: bool
    ) -> str | None:
        """What is wrong with `path` for `row`; None: it may have it. The first look is noted.

        `entry` is the number of the attachment. Raises `OSError` when there is no such file.
        """
        status = path.stat()
        digest = hashlib.blake2b(os.fsencode(_real(path)), digest_size=16).digest()
        found = self._notes.execute(
            "SELECT path, size, changed_at FROM noted WHERE entry = ? AND row = ?", (entry, row)
        ).fetchone()
        now = digest, status.st_size, status.st_mtime_ns
        if found is None:
            self._notes.execute(
                "INSERT INTO noted (entry, row, path, size, changed_at, address, is_unique) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry, row, *now, address.lower(), is_unique),
            )
        elif found[0] != digest:
            return "is another file than was checked"
        elif found != now:
            return "has changed after it was checked"
        return self._other_owner(digest, row, address) if is_unique else None

    def _other_owner(self, digest: bytes, row: int, address: str) -> str | None:
        other = self._notes.execute(
            "SELECT row, address FROM noted WHERE path = ? AND row <> ? AND address <> ? "
            "AND is_unique ORDER BY row LIMIT 1",
            (digest, row, address.lower()),
        ).fetchone()
        if other is None:
            return None
        return (
            f"is also for row {other[0]}, {other[1]}: two people would get the same file "
            "(`unique: false` where that is meant)"
        )


def _real(path: Path) -> str:
    """The file's one name, links followed; quick for the many files of one folder."""
    if path.is_symlink():
        return os.path.realpath(path)
    return os.path.join(_real_folder(os.path.dirname(path)), path.name)  # noqa: PTH118, PTH120  # for each row


@lru_cache(maxsize=256)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
