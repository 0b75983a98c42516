from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest
from support.ledger_book import StoppedClock, new_row

from bulkmail.errors import LedgerError
from bulkmail.ledger import Ledger, schema
from bulkmail.ledger.schema import Migration

NEWEST = schema.migrations()[-1].version
NEXT = Migration(
    NEWEST + 1, "-- A step; with a semicolon.\nCREATE TABLE more (x INTEGER);\nSELECT 1;\n"
)
BROKEN = Migration(
    NEWEST + 1, "CREATE TABLE more (x INTEGER);\nCREATE TABLE campaign (x INTEGER);\n"
)

SO_FAR = list(range(1, NEWEST + 1))


@pytest.fixture
async def old(tmp_path: Path, clock: StoppedClock) -> Path:
    """A ledger of this version with one row in it."""
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock)
    enrolment = await ledger.begin("offer", path="p", key_column="k")
    await enrolment.add([new_row(1, "ann")])
    await enrolment.complete(list_sha256="x")
    await ledger.close()
    return path


@pytest.fixture
def newer(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is one version ahead of the ledger."""
    assert versions(old) == SO_FAR
    known = (*schema.migrations(), NEXT)
    monkeypatch.setattr(schema, "migrations", lambda: known)


def content(path: Path) -> bytes:
    return path.read_bytes()


def versions(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    found = [version for (version,) in connection.execute("SELECT version FROM migration")]
    connection.close()
    return found


@pytest.mark.usefixtures("newer")
async def test_older_ledger_is_copied_then_migrated(old: Path, clock: StoppedClock) -> None:
    ledger = await Ledger.open(old, clock=clock)
    record = await ledger.campaign("offer")
    await ledger.close()

    assert record is not None
    assert versions(old) == [*SO_FAR, NEXT.version]
    copy = old.with_name(f"ledger.db.v{NEWEST}.bak")
    assert versions(copy) == SO_FAR
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_copy_that_fails_leaves_nothing_on_the_full_disk(tmp_path: Path) -> None:
    full = Mock(backup=Mock(side_effect=sqlite3.OperationalError("database or disk is full")))

    with pytest.raises(sqlite3.OperationalError):
        schema.copy(full, tmp_path / "ledger.db.v1.bak")

    assert list(tmp_path.iterdir()) == []


async def test_the_first_ledger_goes_on_with_what_it_held(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.migrate(connection, None, 0.0, schema.migrations()[:1])
    connection.execute(
        "INSERT INTO campaign VALUES (1, 'offer', 'o.yaml', '', 'x.example', 1, 1, 'sha', NULL, 0)"
    )
    connection.execute(
        "INSERT INTO delivery (campaign_id, born, generation, row_number, key, address, domain,"
        " message_id, due_at, updated_at, fields)"
        " VALUES (1, 1, 1, 1, 'a', 'a@x.example', 'x.example', '<1@x.example>', 0, 0, '{}')"
    )
    connection.close()

    ledger = await Ledger.open(path, clock=clock)
    record = await ledger.campaign("offer")
    claimed = await ledger.run(1, owner="me").claim(10)
    await ledger.close()

    assert record is not None
    assert (record.list_sha256, record.halt) == ("sha", None)
    assert [delivery.message_id for delivery in claimed] == ["<1@x.example>"]
    assert versions(path.with_name("ledger.db.v1.bak")) == [1]


@pytest.mark.usefixtures("newer")
async def test_older_ledger_is_read_as_it_is(old: Path, clock: StoppedClock) -> None:
    before = content(old)
    ledger = await Ledger.open(old, clock=clock, read_only=True)
    record = await ledger.campaign("offer")
    await ledger.close()

    assert record is not None
    assert content(old) == before
    assert versions(old) == SO_FAR


def test_migration_that_breaks_leaves_the_ledger_as_it_was(old: Path) -> None:
    connection = sqlite3.connect(old, isolation_level=None)
    steps = (*schema.migrations(), BROKEN)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, old, 0.0, steps)

    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "more" not in tables
    assert versions(old) == SO_FAR


@pytest.mark.parametrize("read_only", [False, True])
async def test_newer_ledger_is_refused(old: Path, clock: StoppedClock, read_only: bool) -> None:
    connection = sqlite3.connect(old)
    connection.execute("INSERT INTO migration VALUES (99, 0)")
    connection.commit()
    connection.close()

    with pytest.raises(LedgerError, match=f"has version 99, and this bulkmail knows {NEWEST} "):
        await Ledger.open(old, clock=clock, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
async def test_database_of_somebody_else_is_refused_and_left_alone(
    tmp_path: Path,
    clock: StoppedClock,
    read_only: bool,
) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(LedgerError, match="is a database, but no ledger"):
        await Ledger.open(path, clock=clock, read_only=read_only)
    assert path.read_bytes() == before


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    numbers = [step.version for step in schema.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
