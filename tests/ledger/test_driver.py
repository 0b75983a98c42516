from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bulkmail.errors import LedgerError
from bulkmail.ledger.driver import Driver, InlineDriver, ScratchDriver, ThreadDriver
from bulkmail.ledger.jobs import Kind

ADD = "INSERT INTO suppression (mailbox, reason, added_at) VALUES (?, '', 0)"


def add(name: str, connection: sqlite3.Connection) -> int:
    return connection.execute(ADD, [name]).rowcount


def everybody(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT mailbox FROM suppression ORDER BY 1")]


def pragma(name: str, connection: sqlite3.Connection) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture(params=["thread", "inline", "inline file", "scratch"])
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    made: Driver
    if request.param == "thread":
        made = ThreadDriver(tmp_path / "ledger.db", "process")
        await made.start()
    elif request.param == "scratch":
        made = ScratchDriver()
    else:
        made = InlineDriver(tmp_path / "l.db" if request.param == "inline file" else None)
    yield made
    await made.close()


async def held(driver: ThreadDriver) -> threading.Event:
    """Keep the thread busy until the event is set: what is submitted meanwhile is one group."""
    started, go_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        started.set()
        go_on.wait(60)

    driver.submit(wait, Kind.READ)
    await asyncio.to_thread(started.wait, 60)
    return go_on


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.PATIENT, Kind.ALONE, Kind.BULK])
async def test_what_is_written_is_read(driver: Driver, kind: Kind) -> None:
    assert await driver.submit(lambda db: add("a", db), kind) == 1
    assert await driver.submit(everybody, Kind.READ) == ["a"]


async def test_works_own_error_is_its_callers_alone(driver: Driver) -> None:
    def fail(connection: sqlite3.Connection) -> int:
        add("half", connection)
        raise KeyError("mine")

    results = await asyncio.gather(
        driver.submit(lambda db: add("a", db)),
        driver.submit(fail),
        driver.submit(lambda db: add("b", db)),
        return_exceptions=True,
    )

    assert [results[0], results[2]] == [1, 1]
    assert isinstance(results[1], KeyError)
    assert await driver.submit(everybody, Kind.READ) == ["a", "b"]


@pytest.mark.parametrize("kind", list(Kind))
async def test_error_of_the_database_is_a_sentence(driver: Driver, kind: Kind) -> None:
    with pytest.raises(LedgerError, match=r"The ledger .*: it cannot be read or written") as caught:
        await driver.submit(lambda db: db.execute("SELECT nothing"), kind)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert await driver.submit(lambda db: add("a", db)) == 1


async def test_waiting_work_shares_one_commit_and_fails_together(tmp_path: Path) -> None:
    driver = ThreadDriver(tmp_path / "ledger.db", "process")
    await driver.start()
    go_on = await held(driver)
    works = [driver.submit(lambda db: add("a", db)), driver.submit(lambda db: add("a", db))]
    go_on.set()

    results = await asyncio.gather(*works, return_exceptions=True)
    assert [type(result) for result in results] == [LedgerError, LedgerError]
    assert await driver.submit(everybody, Kind.READ) == []
    await driver.close()


async def test_what_is_patient_waits_until_somebody_is_in_a_hurry_and_stands_before_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.ledger.driver.PATIENCE", 3600.0)
    driver = ThreadDriver(tmp_path / "ledger.db", "process")
    await driver.start()
    go_on = await held(driver)

    patient = driver.submit(everybody, Kind.PATIENT)
    for _ in range(3):
        await asyncio.sleep(0)
    assert driver._turns.empty()
    hurried = driver.submit(lambda db: add("a", db))
    go_on.set()

    assert await hurried == 1
    assert patient.result() == []
    await driver.close()


async def test_what_is_patient_is_run_at_once_where_it_is_told_to_hurry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.ledger.driver.PATIENCE", 3600.0)
    driver = ThreadDriver(tmp_path / "ledger.db", "process")
    await driver.start()
    go_on = await held(driver)

    work = driver.submit(lambda db: add("a", db), Kind.PATIENT)
    driver.hurry()
    await asyncio.sleep(0)
    assert not driver._turns.empty()
    go_on.set()

    assert await work == 1
    await driver.close()


async def test_work_runs_though_its_caller_stopped_waiting(tmp_path: Path) -> None:
    driver = ThreadDriver(tmp_path / "ledger.db", "process")
    await driver.start()
    go_on = await held(driver)
    work = driver.submit(lambda db: add("a", db))
    work.cancel()
    go_on.set()

    assert await driver.submit(everybody, Kind.READ) == ["a"]
    await driver.close()


async def test_close_writes_what_was_submitted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    driver = ThreadDriver(path)
    await driver.start()
    works = [driver.submit(partial(add, str(number))) for number in range(500)]
    await driver.close()
    await driver.close()

    assert sum(await asyncio.gather(*works)) == 500
    assert not path.with_name("ledger.db-wal").exists()
    with pytest.raises(LedgerError, match="closed"):
        driver.submit(everybody)


async def test_the_connection_is_as_the_ledger_needs_it_and_is_so_again_after_bulk(
    tmp_path: Path,
) -> None:
    driver = ThreadDriver(tmp_path / "ledger.db")
    await driver.start()

    assert await driver.submit(partial(pragma, "wal_autocheckpoint"), Kind.BULK) == 16000
    for name, value in [
        ("journal_mode", "wal"),
        ("synchronous", 1),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("busy_timeout", 30000),
        ("wal_autocheckpoint", 4000),
        ("ignore_check_constraints", 1),
    ]:
        assert (name, await driver.submit(partial(pragma, name), Kind.READ)) == (name, value)
    await driver.close()


async def test_file_and_folder_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / ".bulkmail" / "ledger.db"
    driver = ThreadDriver(path)
    await driver.start()
    await driver.submit(lambda db: add("a", db))

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes.pop("ledger.db-locks") == 0o700
    assert set(modes.values()) == {0o600}
    assert "ledger.db-wal" in modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await driver.close()


async def test_a_transaction_that_ended_by_itself_is_not_taken_for_a_commit(driver: Driver) -> None:
    # As a full disk ends it (sqlite.org/lang_transaction.html).
    with pytest.raises(LedgerError, match="no transaction is active"):
        await driver.submit(lambda connection: connection.execute("ROLLBACK").rowcount)


async def test_in_memory_what_is_written_is_held_to_the_checks_of_the_schema() -> None:
    driver = ScratchDriver()
    with pytest.raises(LedgerError, match="CHECK constraint failed: halt"):
        await driver.submit(
            lambda db: db.execute(
                "INSERT INTO campaign (name, path, key_column, from_domain, created_at, halt)"
                " VALUES ('a', 'a', 'a', 'a', 0, 'stopped')"
            )
        )
    await driver.close()


async def test_who_is_cancelled_while_the_file_is_opened_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    driver = ThreadDriver(tmp_path / "ledger.db")
    starting = asyncio.create_task(driver.start())
    await asyncio.sleep(0)
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting

    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()
