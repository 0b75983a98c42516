"""The disk: what a death and what a power cut leave on it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from random import Random

from simulation import disk
from simulation.disk import Disk, SimDriver
from simulation.loop import VirtualLoop
from simulation.process import Process
from simulation.seed import play

from bulkmail.ledger.jobs import Kind


def _insert(number: int) -> object:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO pace (server, seconds, last_at) VALUES ('mx', ?, 0)", (number,)
        )

    return work


def _play(disk: Disk, *kinds: Kind, die_in_step: int | None = None) -> None:
    loop = VirtualLoop(max_steps=1000, max_seconds=1000)
    process = Process("a")
    if die_in_step is not None:
        process.at_step[die_in_step] = process.kill

    async def write() -> None:
        driver = SimDriver(disk, loop, process, Random(1))
        for number, kind in enumerate(kinds):
            await driver.submit(_insert(number), kind)  # type: ignore[arg-type]

    task: asyncio.Task[None] = process.context.run(loop.create_task, write())
    loop.run(lambda: task.done() or process.is_dead)
    loop.dispose()


def _rows(disk: Disk) -> list[int]:
    return [row[0] for row in disk.connection.execute("SELECT seconds FROM pace ORDER BY 1")]


class Dice(Random):
    """The power goes before the system has written anything by itself."""

    def random(self) -> float:
        """The lowest."""
        return 0.0


def test_what_was_synced_survives_a_power_cut() -> None:
    disk = Disk()

    _play(disk, Kind.WRITE, Kind.BULK, Kind.EARLY)
    before = _rows(disk)
    disk.lose_power(Dice())

    assert before == [0, 1, 2]
    assert _rows(disk) == [0]


def test_a_synced_commit_takes_the_unsynced_ones_before_it_along() -> None:
    disk = Disk()

    _play(disk, Kind.BULK, Kind.EARLY, Kind.WRITE)
    disk.lose_power(Dice())

    assert _rows(disk) == [0, 1, 2]


def test_a_sync_is_for_what_was_committed_when_it_began() -> None:
    disk = Disk()

    _play(disk, Kind.WRITE)
    covered = disk.begin_sync()
    _play(disk, Kind.EARLY)
    disk.end_sync(covered)
    disk.end_sync((0, b"of another process, and older"))
    disk.lose_power(Dice())

    assert _rows(disk) == [0]


def test_who_dies_before_the_sync_may_have_written_it_all_the_same() -> None:
    kept, gone = Disk(), Disk()

    # The steps: the task, its commit, the end of the sync.
    _play(kept, Kind.WRITE, die_in_step=3)
    _play(gone, Kind.WRITE, die_in_step=3)
    gone.lose_power(Dice())

    assert _rows(kept) == [0]
    assert _rows(gone) == []


def test_who_dies_before_the_commit_has_written_nothing() -> None:
    # The steps: the task, its commit, the end of the sync, by which it is told.
    before, behind = Disk(), Disk()

    _play(before, Kind.WRITE, die_in_step=2)
    _play(behind, Kind.WRITE, die_in_step=3)

    assert _rows(before) == []
    assert _rows(behind) == [0]


def test_a_disk_is_empty_again_after_a_story() -> None:
    play(24)
    after = disk.Disk().connection

    with contextlib.closing(disk._opened(disk._blank())) as blank:
        assert [*after.iterdump()] == [*blank.iterdump()]


def test_its_memory_is_that_of_the_story_before() -> None:
    first = Disk()
    first.close()

    assert Disk().connection is first.connection
