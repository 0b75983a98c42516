"""The schema and its migrations.

Each ``schema/NNNN.sql`` runs in one transaction with the row that says it ran. An older ledger is
copied to ``<name>.v<version>.bak`` first; a newer one is refused, and so is any other database.
"""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkmail.errors import LedgerError
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class


@value_class
class Migration:
    """One numbered step of the schema."""

    version: int
    sql: str

    def statements(self) -> Iterator[str]:
        """The statements one by one: `executescript` would commit between them."""
        statement = ""
        for line in self.sql.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""


@functools.cache
def migrations() -> tuple[Migration, ...]:
    """All steps this version knows, oldest first."""
    files = Path(__file__).with_name("schema").iterdir()
    steps = (
        Migration(int(file.name.removesuffix(".sql")), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )
    return tuple(sorted(steps, key=lambda step: step.version))


def version(connection: sqlite3.Connection, path: Path | None, newest: int) -> int:
    """The ledger's version, 0 for an empty file. Raises `LedgerError` when it is not for us."""
    sql = load("schema")
    if connection.execute(sql["find migrations"]).fetchone() is None:
        if connection.execute(sql["find tables"]).fetchone() is not None:
            raise LedgerError(f"{path} is a database, but no ledger of bulkmail: name another file")
        return 0
    (found,) = connection.execute(sql["version"]).fetchone()
    if found > newest:
        raise LedgerError(
            f"The ledger {path} has version {found}, and this bulkmail knows {newest} at most: "
            "it was written by a newer one; upgrade bulkmail to go on"
        )
    return int(found)


def is_current(connection: sqlite3.Connection, path: Path | None) -> bool:
    """Whether nothing is to be done. Raises `LedgerError` as `version` does."""
    newest = migrations()[-1].version
    return version(connection, path, newest) == newest


def migrate(
    connection: sqlite3.Connection,
    path: Path | None,
    now: float,
    steps: Sequence[Migration] | None = None,
) -> None:
    """Bring the ledger to the newest of `steps`; `path` is None where there is no file to copy.

    The connection is in autocommit mode. Nobody else migrates the same file meanwhile.
    """
    steps = migrations() if steps is None else steps
    found = version(connection, path, steps[-1].version)
    if path is not None and 0 < found < steps[-1].version:
        copy(connection, path.with_name(f"{path.name}.v{found}.bak"))
    for step in steps:
        if step.version > found:
            _run(connection, step, now)


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database; the target is replaced, and readable by its owner only.

    Where that fails nothing is left of it: on a full disk it would be in the way.
    """
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    destination = sqlite3.connect(unfinished)
    try:
        connection.backup(destination)
    except BaseException:
        unfinished.unlink()
        raise
    finally:
        destination.close()
    unfinished.replace(target)


def _run(connection: sqlite3.Connection, step: Migration, now: float) -> None:
    sql = load("schema")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(sql["create migrations"])
        for statement in step.statements():
            connection.execute(statement)
        connection.execute(sql["note migration"], {"version": step.version, "now": now})
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
