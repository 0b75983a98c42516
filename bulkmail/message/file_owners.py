"""Whose file is whose: two people never get the same one.

A row's file is noted when it is looked at; a file that is to be one person's own is nobody else's.
The notes are a temporary table that SQLite keeps on disk: a million rows cost no memory.
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
    path BLOB, key TEXT, row INTEGER, address TEXT, is_unique INTEGER, PRIMARY KEY (path, key)
) WITHOUT ROWID;
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
        self, key: str, row: int, address: str, path: Path, *, is_unique: bool
    ) -> str | None:
        """What keeps the row from having `path`; None: it may have it, and it is noted.

        Raises `OSError` when there is no such file.
        """
        path.stat()
        other = self.other(key, row, address, path, is_unique=is_unique)
        if other is None:
            return None
        return (
            f"is also for row {other[0]}, {other[1]}: two people would get the same file "
            "(`unique: false` where that is meant)"
        )

    def other(
        self, key: str, row: int, address: str, path: Path, *, is_unique: bool
    ) -> tuple[int, str] | None:
        """Note that the row has `path`; the row and address that keep it from having it."""
        digest = self.note(key, row, address, path, is_unique=is_unique)
        if not is_unique:
            return None
        found: tuple[int, str] | None = self._notes.execute(
            "SELECT row, address FROM noted WHERE path = ? AND key <> ? AND address <> ? "
            "AND is_unique ORDER BY row LIMIT 1",
            (digest, key, address.lower()),
        ).fetchone()
        return found

    def note(self, key: str, row: int, address: str, path: Path, *, is_unique: bool) -> bytes:
        """Note that the row has `path`; what stands for the file."""
        digest = hashlib.blake2b(os.fsencode(_real(path)), digest_size=16).digest()
        self._notes.execute(
            "INSERT INTO noted (path, key, row, address, is_unique) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (digest, key, row, address.lower(), is_unique),
        )
        return digest


def _real(path: Path) -> str:
    """The file's one name, links followed; quick for the many files of one folder."""
    if path.is_symlink():
        return os.path.realpath(path)
    return os.path.join(_real_folder(os.path.dirname(path)), path.name)  # noqa: PTH118, PTH120  # for each row


@lru_cache(maxsize=256)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
