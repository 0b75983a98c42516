"""`bulkmail run` as a process: killed, taken over, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from process.recording_server import Arrival, RecordingServer, recording_server
from support.program import bulkmail, ended, start

NAMES = ("one", "two", "three")
PEOPLE = 60
CAMPAIGN = """
from: people@example.com
subject: "{name}"
text: letter.txt.j2
recipients: {name}.csv
servers: [only]
retry: {{backoff: 100ms}}
schedule: {{at: "{at}"}}
"""
SERVERS = """
servers:
  only: {{host: 127.0.0.1, port: {port}, security: none, connections: 2, rate: 40/s}}
"""


def write_project(folder: Path, server: RecordingServer) -> None:
    """Three campaigns: two are due now, one in three seconds."""
    (folder / "templates").mkdir()
    (folder / "templates" / "letter.txt.j2").write_text("Hello.\n", "utf-8")
    (folder / "campaigns").mkdir()
    (folder / "bulkmail.yaml").write_text(SERVERS.format(port=server.port), "utf-8")
    for ahead, name in zip((-30, 0, 3), NAMES, strict=True):
        at = (datetime.now(UTC) + timedelta(seconds=ahead)).isoformat(timespec="seconds")
        rows = "".join(f"{name}{number}@example.com\n" for number in range(PEOPLE))
        (folder / "campaigns" / f"{name}.csv").write_text("email\n" + rows, "utf-8")
        (folder / "campaigns" / f"{name}.yaml").write_text(
            CAMPAIGN.format(name=name, at=at), "utf-8"
        )


@contextlib.asynccontextmanager
async def scheduler(folder: Path) -> AsyncIterator[Process]:
    process = await start(folder, "run")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says(process: Process, words: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(300):
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line, f"it ended without {words!r}"


def struck(server: RecordingServer, commands: int, process: Process) -> asyncio.Event:
    """Kill a process before the reply to the so-manieth command from now."""
    done = asyncio.Event()

    def strike() -> None:
        process.kill()
        done.set()

    server.after(commands, strike)
    return done


def unanswered(server: RecordingServer) -> set[str]:
    """Who came last on a connection: the only ones whose 250 may not have been recorded."""
    last = {arrival.connection: arrival.recipient for arrival in server.arrivals}
    return set(last.values())


async def test_killed_twice_and_taken_over_each_recipient_gets_one_message(tmp_path: Path) -> None:
    # Closed while the second starts: on a slow machine all was sent by then.
    async with recording_server(is_open=False) as server, contextlib.AsyncExitStack() as stack:
        write_project(tmp_path, server)
        first = await stack.enter_async_context(scheduler(tmp_path))
        await says(first, "at work")
        second = await stack.enter_async_context(scheduler(tmp_path))
        await says(second, "waiting to take over")

        killed = struck(server, 60, first)
        server.is_open.set()
        await asyncio.wait_for(killed.wait(), 300)
        doubts = unanswered(server)
        # Counted from here on: behind a slow start of the third there may not be so many left.
        killed = struck(server, 120, second)
        third = await stack.enter_async_context(scheduler(tmp_path))
        await asyncio.wait_for(killed.wait(), 300)
        doubts |= unanswered(server)
        await until_all_arrived(server)
        third.send_signal(signal.SIGTERM)
        result = await ended(third)

    copies = Counter(arrival.recipient for arrival in server.arrivals)
    wanted = {f"{name}{number}@example.com" for name in NAMES for number in range(PEOPLE)}
    assert set(copies) == wanted
    # Who was on the wire when it was killed is in doubt, and is sent the same message again.
    assert {who for who, count in copies.items() if count > 1} <= doubts
    assert max(copies.values()) <= 2
    assert len({(arrival.recipient, arrival.message_id) for arrival in server.arrivals}) == len(
        wanted
    )
    assert result.code == 130, result.err


def recipient(arrival: Arrival) -> str:
    return arrival.recipient


async def until_all_arrived(server: RecordingServer) -> None:
    async with asyncio.timeout(300):
        while len(set(map(recipient, server.arrivals))) < len(NAMES) * PEOPLE:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_it_ends_gracefully_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with recording_server() as server:
        write_project(tmp_path, server)
        async with scheduler(tmp_path) as process:
            await says(process, "at work")
            stopped = asyncio.Event()

            def stop() -> None:
                process.send_signal(signal.SIGTERM)
                stopped.set()

            server.after(40, stop)
            await asyncio.wait_for(stopped.wait(), 300)
            result = await ended(process)
        await asyncio.sleep(0)
        async with scheduler(tmp_path) as process:
            await until_all_arrived(server)
            process.send_signal(signal.SIGINT)
            again = await ended(process)
        status = await bulkmail(tmp_path, "run", "--once")

    copies = Counter(arrival.recipient for arrival in server.arrivals)
    assert (result.code, again.code, status.code) == (130, 130, 0), result.err
    assert set(copies.values()) == {1}


async def test_a_file_that_is_new_is_noticed_and_one_that_is_broken_is_told(tmp_path: Path) -> None:
    async with recording_server() as server:
        write_project(tmp_path, server)
        for path in (tmp_path / "campaigns").glob("*.yaml"):
            path.rename(path.with_suffix(".off"))
        async with scheduler(tmp_path) as process:
            await says(process, "at work")
            (tmp_path / "campaigns" / "broken.yaml").write_text("schedule: {at: soon}\n", "utf-8")
            await says(process, "broken.yaml:1:")
            for name in NAMES:
                (tmp_path / "campaigns" / f"{name}.off").rename(
                    tmp_path / "campaigns" / f"{name}.yaml"
                )
            await until_all_arrived(server)
            process.send_signal(signal.SIGHUP)
            await says(process, "Reading all campaigns again")
            process.send_signal(signal.SIGTERM)
            result = await ended(process)

    assert result.code == 130
    assert len(server.arrivals) == len(NAMES) * PEOPLE


async def test_two_at_once_by_cron_send_everything_once(tmp_path: Path) -> None:
    async with recording_server() as server:
        write_project(tmp_path, server)

        results = await asyncio.gather(
            bulkmail(tmp_path, "run", "--once"), bulkmail(tmp_path, "run", "--once")
        )

    copies = Counter(arrival.recipient for arrival in server.arrivals)
    assert [result.code for result in results] == [0, 0], results
    assert set(copies.values()) == {1}
