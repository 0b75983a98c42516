from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import pytest
from support.ledger_book import Book, StoppedClock, new_row

from bulkmail.errors import EXIT_STOPPED, LedgerError
from bulkmail.fate import State
from bulkmail.ledger import Ledger, connection
from bulkmail.ledger.jobs import Kind

NOBODY = 65534


@contextmanager
def another_user(*paths: Path) -> Iterator[None]:
    """Be somebody whom permissions bind: root is not."""
    if os.geteuid():
        yield
        return
    for path in paths:
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user can reach: pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def set_mode(path: Path, mode: int) -> None:
    path.chmod(mode)


async def made(path: Path, clock: StoppedClock) -> None:
    ledger = await Ledger.open(path, clock=clock)
    await Book(ledger, clock).enrol("ann", "bob")
    await ledger.close()


async def test_full_disk_is_a_sentence_and_what_was_there_stays(book: Book) -> None:
    await book.enrol("ann")
    ann = await book.claim("ann")
    # The file may not grow by a page: what a full disk answers.
    driver = book.ledger._driver
    await driver.submit(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone(), Kind.READ)

    enrolment = await book.ledger.begin("other", path="p", key_column="k")
    with pytest.raises(LedgerError, match="the disk is full: free some space") as caught:
        await enrolment.add([new_row(n, f"n{n}") for n in range(1, 5000)])
    assert caught.value.exit_code == EXIT_STOPPED

    assert await book.run().record(book.attempt(ann, State.SENT))
    assert await book.states() == {"ann": "sent: so it went"}


async def test_file_that_is_no_database_is_a_sentence(tmp_path: Path, clock: StoppedClock) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("dear diary\n" * 100)
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=r"ledger\.db: it is no ledger"):
            await Ledger.open(path, clock=clock, read_only=read_only)
    assert path.read_text().startswith("dear diary")


async def test_damaged_file_is_a_sentence(tmp_path: Path, clock: StoppedClock) -> None:
    path = tmp_path / "ledger.db"
    await made(path, clock)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    with pytest.raises(LedgerError, match="the file is damaged"):
        await Ledger.open(path, clock=clock)


async def test_folder_that_cannot_be_made_is_a_sentence(
    tmp_path: Path, clock: StoppedClock
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="it cannot be opened"):
        await Ledger.open(tmp_path / "file" / "ledger.db", clock=clock)


async def test_folder_that_cannot_be_written_is_a_sentence(home: Path, clock: StoppedClock) -> None:
    set_mode(home, 0o555)
    with another_user(), pytest.raises(LedgerError, match=r"may not be .*Permission denied"):
        await Ledger.open(home / "ledger.db", clock=clock)


async def test_ledger_that_cannot_be_written_is_still_read(home: Path, clock: StoppedClock) -> None:
    path = home / "ledger.db"
    await made(path, clock)
    before = tree(home)
    with another_user(home, path):
        set_mode(path, 0o444)
        set_mode(home, 0o555)
        with pytest.raises(LedgerError):
            await Ledger.open(path, clock=clock)
        ledger = await Ledger.open(path, clock=clock, read_only=True)
        book = Book(ledger, clock)
        book.id = 1
        assert (await ledger.counts(1)).pending == 2
        with pytest.raises(LedgerError, match="read-only"):
            await book.run().claim(1)
        await ledger.close()
    assert tree(home) == before


async def test_reading_leaves_no_trace(tmp_path: Path, clock: StoppedClock) -> None:
    path = tmp_path / "ledger.db"
    await made(path, clock)
    before = path.read_bytes(), tree(tmp_path)

    ledger = await Ledger.open(path, clock=clock, read_only=True)
    assert len(await ledger.campaigns()) == 1
    with pytest.raises(LedgerError, match="read-only"):
        await ledger.suppression().add(["a@x.example"], "x")
    await ledger.close()

    assert (path.read_bytes(), tree(tmp_path)) == before


async def test_reading_sees_what_a_run_under_way_committed(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    writer = await Ledger.open(path, clock=clock)
    await Book(writer, clock).enrol("ann")

    reader = await Ledger.open(path, clock=clock, read_only=True)
    assert (await reader.counts(1)).pending == 1
    await reader.close()
    await writer.close()


async def test_reading_makes_no_ledger(tmp_path: Path, clock: StoppedClock) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        await Ledger.open(tmp_path / "home" / "ledger.db", clock=clock, read_only=True)
    assert tree(tmp_path) == []


async def test_locked_ledger_is_a_sentence(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    await made(path, clock)
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0)
    ledger = await Ledger.open(path, clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerError, match="another process has kept it locked"):
        await ledger.suppression().add(["a@x.example"], "x")

    other.execute("ROLLBACK")
    other.close()
    assert await ledger.suppression().add(["a@x.example"], "x") == 1
    await ledger.close()


@pytest.mark.parametrize("how", ["empty", "gone"])
async def test_a_ledger_that_has_lost_all_it_held_is_no_new_one(
    tmp_path: Path, clock: StoppedClock, how: str
) -> None:
    """A power cut on some file systems leaves a file at no length."""
    path = tmp_path / "ledger.db"
    await made(path, clock)
    ledger = await Ledger.open(path, clock=clock)
    with ledger.lock("letter"):
        await ledger.close()
    if how == "empty":
        os.truncate(path, 0)
    else:
        path.unlink()

    with pytest.raises(LedgerError, match=f"is {how}, but it was in use before") as refusal:
        await Ledger.open(path, clock=clock)

    assert refusal.value.exit_code == EXIT_STOPPED
    locks = tmp_path / "ledger.db-locks"
    assert str(locks) in str(refusal.value)
    path.unlink(missing_ok=True)
    shutil.rmtree(locks)
    await made(path, clock)


async def test_a_file_with_a_second_name_is_refused_by_both(
    tmp_path: Path, clock: StoppedClock
) -> None:
    """Each name has a log and locks of its own: two runs at once would not notice one another."""
    path, second = tmp_path / "ledger.db", tmp_path / "second.db"
    await made(path, clock)
    second.hardlink_to(path)

    for name in (path, second):
        with pytest.raises(LedgerError, match="has a second name, a hard link"):
            await Ledger.open(name, clock=clock)

    second.unlink()
    await made(path, clock)


async def test_who_keeps_the_ledger_locked_is_waited_for_by_the_clock(
    tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped within a transaction: the sentence's seconds are true."""
    path = tmp_path / "ledger.db"
    await made(path, clock)
    ledger = await Ledger.open(path, clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    # Each look at the clock is ten seconds behind the last.
    monkeypatch.setattr("bulkmail.ledger.groups.time", Mock(monotonic=count(0, 10).__next__))

    with pytest.raises(LedgerError, match="has kept it locked for 30 seconds"):
        await ledger.suppression().add(["a@x.example"], "x")

    other.execute("ROLLBACK")
    other.close()
    assert await ledger.suppression().add(["a@x.example"], "x") == 1
    await ledger.close()


async def test_a_damaged_file_that_quotes_no_text_is_told_as_damaged(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    await made(path, clock)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"CREATE TABLE delivery", b"CREATE \xcb\xcb\xcb\xcb\xcb \xcbelivery")
    )

    for is_read_only in (True, False):
        with pytest.raises(LedgerError, match="damaged"):
            await Ledger.open(path, clock=clock, read_only=is_read_only)


async def test_suppressions_alone_are_something_to_lose(
    tmp_path: Path, clock: StoppedClock
) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=clock)
    await ledger.suppression().add(["ann@x.example"], "asked")
    await ledger.close()
    path.unlink()

    for read_only in (False, True):
        with pytest.raises(LedgerError, match="is gone, but it was in use before"):
            await Ledger.open(path, clock=clock, read_only=read_only)


async def test_who_may_not_count_what_root_has_counted_sends_all_the_same(
    home: Path, clock: StoppedClock
) -> None:
    """One `sudo bulkmail` makes the count's file, and leaves the ledger its owner's."""
    path = home / "ledger.db"
    await made(path, clock)
    locks = home / "ledger.db-locks"
    mine = [home, path, locks, *(file for file in locks.iterdir() if file.name != "opened")]
    (locks / "opened").chmod(0o400)  # where it is not root who tests

    with another_user(*mine):
        ledger = await Ledger.open(path, clock=clock)
        assert await ledger.campaigns()
        await ledger.close()

    (locks / "opened").chmod(0o600)
    await (await Ledger.open(path, clock=clock)).close()
