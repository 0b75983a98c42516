"""What sqlite3 raises, in a sentence: the one border where its errors become `LedgerError`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bulkmail.errors import LedgerError

#: Seconds to wait for another process that holds the ledger. Enrolment and every other writer of
#: ours keep their transactions far below it.
BUSY_TIMEOUT = 30

_SENTENCES = {
    # SQLite does not say which: it keeps temporary files elsewhere.
    sqlite3.SQLITE_FULL: (
        "the disk is full: free some space, there or where temporary files go (TMPDIR), and run "
        "again"
    ),
    sqlite3.SQLITE_READONLY: "it cannot be written: the disk or the file is read-only",
    sqlite3.SQLITE_PERM: "it may not be opened: look at the file's permissions",
    sqlite3.SQLITE_AUTH: "it may not be opened: look at the file's permissions",
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened: the folder is missing, or may not be written by this user"
    ),
    sqlite3.SQLITE_BUSY: (
        f"another process has kept it locked for {BUSY_TIMEOUT} seconds: run again when it is done"
    ),
    sqlite3.SQLITE_LOCKED: "another connection keeps it locked: run again when it is done",
    sqlite3.SQLITE_NOTADB: "it is no ledger: the file is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged: restore a copy, and until then send nothing by this ledger"
    ),
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written, or is full",
}
#: The bits of SQLite's error codes that hold the kind.
PRIMARY = 0xFF
#: What SQLite raises: of a damaged file it may quote, in its own error, what is no text.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def ledger_error(
    error: sqlite3.Error | UnicodeDecodeError | OSError, path: Path | None
) -> LedgerError:
    """The sentence for one error, with the error as its cause. What was not sent stays pending."""
    what = (error.strerror or error) if isinstance(error, OSError) else error
    failure = LedgerError(f"The ledger {path or 'in memory'}: {_sentence(error)} ({what}).")
    failure.__cause__ = error
    return failure


def sync_error(error: OSError, path: Path | None) -> LedgerError:
    """The sentence for a sync that failed."""
    failure = LedgerError(
        f"The ledger {path}: the disk did not confirm what was written to it ({error}): look after "
        "the disk, then run again"
    )
    failure.__cause__ = error
    return failure


def _sentence(error: sqlite3.Error | UnicodeDecodeError | OSError) -> str:
    if isinstance(error, PermissionError):
        return "it may not be opened: look at whose the file and its folder are"
    if isinstance(error, OSError):
        return "it cannot be opened"
    if isinstance(error, UnicodeDecodeError):
        return _SENTENCES[sqlite3.SQLITE_CORRUPT]
    # The extended code's low byte is the primary one (sqlite.org/rescode.html). Errors that
    # the module itself raises carry none.
    code = getattr(error, "sqlite_errorcode", None)
    return _SENTENCES.get(code & PRIMARY if code else -1, "it cannot be read or written")
