"""A ledger that lacks what was recorded in it: an older copy, or one whose log is gone."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

import pytest
from support.ledger_book import Book, StoppedClock

from bulkmail.errors import EXIT_STOPPED, LedgerError
from bulkmail.fate import State
from bulkmail.ledger import Ledger, log_sync
from bulkmail.ledger.connection import FOLD_LOG, Durability
from bulkmail.ledger.jobs import Kind


async def made(path: Path, clock: StoppedClock) -> None:
    ledger = await Ledger.open(path, clock=clock)
    await Book(ledger, clock).enrol("ann", "bob")
    await ledger.close()


async def fold(ledger: Ledger) -> None:
    """A checkpoint: all that was committed is in the file itself."""
    await ledger._driver.submit(lambda db: db.execute(FOLD_LOG).fetchall(), Kind.READ)


async def refuse(path: Path, clock: StoppedClock) -> None:
    for read_only in (False, True):
        with pytest.raises(LedgerError, match="is older than what was recorded"):
            await Ledger.open(path, clock=clock, read_only=read_only)


def counted(path: Path) -> int:
    return int((path.with_name("ledger.db-locks") / "opened").read_text())


@pytest.fixture
def each_commit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a second went by before each."""
    monkeypatch.setattr("bulkmail.ledger.lost._INTERVAL", 0.0)


def crashed(folder: Path, into: Path) -> Path:
    """The ledger as a `kill -9` at this instant leaves it."""
    shutil.copytree(folder, into)
    return into / "ledger.db"


async def test_an_older_copy_is_refused_until_a_person_wants_it(
    tmp_path: Path, clock: StoppedClock
) -> None:
    """Put back from a backup: who was sent to since would be mailed again."""
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    await made(path, clock)
    shutil.copy(path, copy)
    await (await Ledger.open(path, clock=clock)).close()
    shutil.copy(copy, path)

    for read_only in (False, True):
        with pytest.raises(LedgerError, match="is older than what was recorded") as refusal:
            await Ledger.open(path, clock=clock, read_only=read_only)

    assert refusal.value.exit_code == EXIT_STOPPED
    locks = tmp_path / "ledger.db-locks"
    assert str(locks) in str(refusal.value)
    shutil.rmtree(locks)
    ledger = await Ledger.open(path, clock=clock)
    assert await ledger.campaigns()
    await ledger.close()


async def test_a_log_that_was_removed_behind_a_crash_is_missed(
    tmp_path: Path, clock: StoppedClock
) -> None:
    """All that a run did may stand in the log alone: without it everybody seems to be new."""
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock)
    await Book(ledger, clock).enrol("ann", "bob")
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path, crashed)
    await ledger.close()
    whole = tmp_path / "whole"
    shutil.copytree(crashed, whole)
    (crashed / "ledger.db-wal").unlink()
    (crashed / "ledger.db-shm").unlink()

    for read_only in (False, True):
        with pytest.raises(LedgerError, match="db-wal, was removed behind a crash"):
            await Ledger.open(crashed / "ledger.db", clock=clock, read_only=read_only)

    ledger = await Ledger.open(whole / "ledger.db", clock=clock)
    assert await ledger.campaigns()
    await ledger.close()


async def test_opened_by_several_at_once_and_one_after_the_other(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    for _ in range(3):
        first = await Ledger.open(path, clock=clock)
        second = await Ledger.open(path, clock=clock)
        await first.close()
        third = await Ledger.open(path, clock=clock)
        await second.close()
        await third.close()
    beside = tmp_path / "ledger.db-locks" / "opened"
    assert int(beside.read_text()) == 9
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    await (await Ledger.open(path, clock=clock)).close()  # which is not waited for
    writer.execute("ROLLBACK")
    writer.close()
    assert int(beside.read_text()) == 9
    beside.write_bytes(b"")  # a power cut: not known

    await (await Ledger.open(path, clock=clock)).close()


@pytest.mark.usefixtures("each_commit_is_counted")
@pytest.mark.parametrize("durability", ["power", "process"])
async def test_a_copy_made_under_way_is_older_than_what_the_run_went_on_to_record(
    tmp_path: Path, clock: StoppedClock, durability: Durability
) -> None:
    """The file alone, behind a checkpoint of the last run: it was opened as often as the truth."""
    home, copy = tmp_path / "home", tmp_path / "copy.db"
    path = home / "ledger.db"
    ledger = await Ledger.open(path, clock=clock, durability=durability)
    book = Book(ledger, clock)
    await book.enrol("ann", "bob")
    await fold(ledger)
    shutil.copy(path, copy)
    await book.end("ann", State.SENT)
    killed = crashed(home, tmp_path / "crashed")
    await ledger.close()

    for each in (path, killed):
        for log in each.parent.glob("ledger.db-[ws]*"):
            log.unlink()
        shutil.copy(copy, each)
        await refuse(each, clock)


@pytest.mark.usefixtures("each_commit_is_counted")
async def test_a_log_that_was_removed_behind_a_checkpoint_and_a_crash_is_missed(
    tmp_path: Path, clock: StoppedClock
) -> None:
    home = tmp_path / "home"
    ledger = await Ledger.open(home / "ledger.db", clock=clock)
    book = Book(ledger, clock)
    await book.enrol("ann", "bob")
    await fold(ledger)
    await book.end("ann", State.SENT)

    path = crashed(home, tmp_path / "crashed")
    await ledger.close()
    path.with_name("ledger.db-wal").unlink()
    path.with_name("ledger.db-shm").unlink()

    await refuse(path, clock)


async def test_the_end_of_a_run_is_counted(tmp_path: Path, clock: StoppedClock) -> None:
    """It may have been shorter than what is counted as one."""
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    ledger = await Ledger.open(path, clock=clock)
    book = Book(ledger, clock)
    await book.enrol("ann")
    await fold(ledger)
    shutil.copy(path, copy)
    await book.end("ann", State.SENT)
    await ledger.close()
    at_the_end = counted(path)
    # Who writes nothing more counts no end.
    await (await Ledger.open(path, clock=clock)).close()
    assert counted(path) == at_the_end + 1

    shutil.copy(copy, path)
    await refuse(path, clock)


@pytest.mark.usefixtures("each_commit_is_counted")
@pytest.mark.parametrize("durability", ["power", "process"])
async def test_what_is_not_on_the_disk_is_not_counted_beside_it(
    tmp_path: Path, clock: StoppedClock, durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would take it back, and the ledger would be refused as an older one."""
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock, durability=durability)
    before = counted(path)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(log_sync, "_sync", fail)
    with pytest.raises(LedgerError, match="the disk did not confirm"):
        await ledger.suppression().add(["ann@x.example"], "x")
    await ledger.close()

    assert counted(path) == before
