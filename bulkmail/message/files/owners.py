"""Whose file is whose: two people never get the same one.

A row's file is noted when it is looked at; a file that is to be one person's own is nobody else's.
The notes are a temporary table that SQLite keeps on disk: a million rows cost no memory.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import weakref

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE noted (
    path BLOB, key TEXT, row INTEGER, address TEXT, is_unique INTEGER, PRIMARY KEY (path, key)
) WITHOUT ROWID;
"""

_NOTE = "INSERT INTO noted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
#: Notes in one go: one by one they take as long as it takes to make a message.
_BATCH = 500


class FileOwners:
    """The files of all rows of one campaign. For one thread."""

    def __init__(self) -> None:
        # A temporary database on disk, seen by nobody else, gone with the connection. The collector
        # may run, and close it, in any thread.
        self._notes = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._notes.executescript(_SCHEMA)
        self._notes.execute("BEGIN")
        #: What is not written yet.
        self._waiting: list[tuple[bytes, str, int, str, bool]] = []
        #: A bit for the first 24 of each digest: where it is not set, nobody has the file.
        self._seen = bytearray(1 << 21)
        weakref.finalize(self, self._notes.close)

    def problem(
        self, key: str, row: int, address: str, real: str, *, is_unique: bool
    ) -> str | None:
        """What keeps the row from having a file; None: it may have it, and it is noted.

        `real` is the file's one name, links followed.
        """
        other = self.other(key, row, address, real, is_unique=is_unique)
        if other is None:
            return None
        return (
            f"is also for row {other[0]}, {other[1]}: two people would get the same file "
            "(`unique: false` where that is meant)"
        )

    def other(
        self, key: str, row: int, address: str, real: str, *, is_unique: bool
    ) -> tuple[int, str] | None:
        """Note that the row has the file; the row and address that keep it from having it."""
        digest = hashlib.blake2b(os.fsencode(real), digest_size=16).digest()
        self._waiting.append((digest, key, row, address.lower(), is_unique))
        place, bit = divmod(int.from_bytes(digest[:3], "big"), 8)
        # Nearly always it is nobody's yet, and one bit says so.
        may_be_known = self._seen[place] >> bit & 1
        self._seen[place] |= 1 << bit
        if len(self._waiting) >= _BATCH or (may_be_known and is_unique):
            self._notes.executemany(_NOTE, self._waiting)
            self._waiting.clear()
        if not (may_be_known and is_unique):
            return None
        found: tuple[int, str] | None = self._notes.execute(
            "SELECT row, address FROM noted WHERE path = ? AND key <> ? AND address <> ? "
            "AND is_unique ORDER BY row LIMIT 1",
            (digest, key, address.lower()),
        ).fetchone()
        return found
