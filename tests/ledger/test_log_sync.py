from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bulkmail.errors import LedgerError
from bulkmail.ledger.connection import Durability
from bulkmail.ledger.driver import ThreadDriver
from bulkmail.ledger.jobs import Kind

ADD = "INSERT INTO suppression (mailbox, reason, added_at) VALUES (?, '', 0)"


def add(name: str, connection: sqlite3.Connection) -> int:
    return connection.execute(ADD, [name]).rowcount


def names(path: Path) -> list[str]:
    """What another process sees."""
    with sqlite3.connect(path) as other:
        return [name for (name,) in other.execute("SELECT mailbox FROM suppression ORDER BY 1")]


class Disk:
    """Stands between the ledger and the disk: what is seen at each sync."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[list[str]] = []
        self.fails = False
        #: A sync has begun.
        self.began = threading.Event()
        #: A sync ends when it is set.
        self.may_end = threading.Event()
        self.may_end.set()

    def sync(self, descriptor: int) -> None:
        log = self.path.with_name(self.path.name + "-wal")
        assert os.path.samestat(os.fstat(descriptor), log.stat())
        self.seen.append(names(self.path))
        self.began.set()
        assert self.may_end.wait(30)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "ledger.db")
    monkeypatch.setattr("bulkmail.ledger.log_sync._sync", disk.sync)
    return disk


async def opened(path: Path, durability: Durability) -> AsyncIterator[ThreadDriver]:
    driver = ThreadDriver(path, durability)
    await driver.start()
    yield driver
    await driver.close()


@pytest.fixture
async def driver(disk: Disk) -> AsyncIterator[ThreadDriver]:
    async for driver in opened(disk.path, "power"):
        yield driver


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.PATIENT, Kind.ALONE])
async def test_who_is_told_of_a_commit_is_told_behind_its_sync(
    driver: ThreadDriver, disk: Disk, kind: Kind
) -> None:
    assert await driver.submit(partial(add, "ada"), kind) == 1
    assert disk.seen == [["ada"]]


async def test_one_sync_is_for_a_whole_group(driver: ThreadDriver, disk: Disk) -> None:
    first, second = (driver.submit(partial(add, name)) for name in ("ada", "bo"))

    assert (await first, await second) == (1, 1)
    assert disk.seen == [["ada", "bo"]]


async def test_bulk_is_synced_by_the_commit_behind_it(driver: ThreadDriver, disk: Disk) -> None:
    await driver.submit(partial(add, "ada"), Kind.BULK)
    assert disk.seen == []

    await driver.submit(partial(add, "bo"))
    assert disk.seen == [["ada", "bo"]]


async def test_a_commit_that_need_not_survive_a_power_cut_is_not_synced(disk: Disk) -> None:
    async for driver in opened(disk.path, "process"):
        await driver.submit(partial(add, "ada"))

        assert names(disk.path) == ["ada"]
        assert disk.seen == []


async def test_a_sync_that_fails_ends_all_writing(driver: ThreadDriver, disk: Disk) -> None:
    await driver.submit(partial(add, "ada"))
    disk.fails = True
    with pytest.raises(LedgerError, match=r"ledger\.db: the disk did not confirm .*look after"):
        await driver.submit(partial(add, "bo"))

    # The system forgets what it failed to write: a later sync that works proves nothing.
    disk.fails = False
    with pytest.raises(LedgerError, match="did not confirm"):
        await driver.submit(partial(add, "cy"))
    assert "cy" not in names(disk.path)


async def test_a_log_that_is_gone_is_told(driver: ThreadDriver, disk: Disk) -> None:
    disk.path.with_name("ledger.db-wal").unlink()

    with pytest.raises(LedgerError, match="did not confirm"):
        await driver.submit(partial(add, "ada"))


async def run(driver: ThreadDriver, work: partial[int], kind: Kind) -> asyncio.Future[int]:
    """Submit it, and wait until it is committed, told or not."""
    ran = threading.Event()
    told = driver.submit(work, kind)
    driver.submit(lambda _: ran.set(), Kind.READ)
    assert await asyncio.to_thread(ran.wait, 30)
    return told


async def test_what_is_of_use_only_to_what_follows_is_not_synced(
    driver: ThreadDriver, disk: Disk
) -> None:
    assert await driver.submit(partial(add, "ada"), Kind.EARLY) == 1
    assert disk.seen == []

    await driver.submit(partial(add, "bo"))
    assert disk.seen == [["ada", "bo"]]


async def test_the_next_group_runs_while_one_is_synced_and_one_sync_is_for_all_that_wait(
    driver: ThreadDriver, disk: Disk
) -> None:
    disk.may_end.clear()
    told = [await run(driver, partial(add, name), Kind.WRITE) for name in ("ada", "bo", "cy")]
    assert names(disk.path) == ["ada", "bo", "cy"]
    assert not any(future.done() for future in told)

    disk.may_end.set()
    assert await asyncio.gather(*told) == [1, 1, 1]
    assert disk.seen[-1] == ["ada", "bo", "cy"]
    assert len(disk.seen) <= 2


async def test_what_is_told_is_told_in_the_order_it_was_asked_for(
    driver: ThreadDriver, disk: Disk
) -> None:
    order: list[str] = []

    def note(name: str, _: asyncio.Future[int]) -> None:
        order.append(name)

    disk.may_end.clear()
    for name, kind in (("ada", Kind.WRITE), ("bo", Kind.EARLY)):
        future = await run(driver, partial(add, name), kind)
        future.add_done_callback(partial(note, name))
    # The loop takes in what is told by now.
    await asyncio.sleep(0)
    assert order == []

    disk.may_end.set()
    await driver.submit(partial(add, "cy"))
    assert order == ["ada", "bo"]


async def test_a_sync_that_fails_fails_what_was_committed_meanwhile_as_well(
    driver: ThreadDriver, disk: Disk
) -> None:
    await driver.submit(partial(add, "ada"))
    disk.began.clear()
    disk.may_end.clear()
    told = [driver.submit(partial(add, "bo"))]
    assert await asyncio.to_thread(disk.began.wait, 30)
    told.append(await run(driver, partial(add, "cy"), Kind.WRITE))

    disk.fails = True
    disk.may_end.set()
    with pytest.raises(LedgerError, match="did not confirm"):
        await told[0]
    with pytest.raises(LedgerError, match="did not confirm"):
        await told[1]
    # A later sync would prove nothing, and is not asked for.
    assert len(disk.seen) == 2


async def test_close_waits_for_the_sync(disk: Disk) -> None:
    async for driver in opened(disk.path, "power"):
        disk.may_end.clear()
        told = await run(driver, partial(add, "ada"), Kind.WRITE)
        closing = asyncio.create_task(driver.close())
        await asyncio.sleep(0)
        disk.may_end.set()
        await closing

        assert await told == 1


async def test_a_thread_that_cannot_be_had_is_told(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == "ledger sync":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        await ThreadDriver(disk.path).start()
