"""`send --processes N`: the promises of a run hold for all of its processes together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.children import children, state
from support.mail_project import MailProject, last_json
from support.program import PATIENCE, bulkmail, ended, running
from support.scripted_server import HANG, Held, Turn, on, scripted

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a process's children are found in /proc"
)

QUICK = {"backoff": "100ms"}
TWO = ("send", "letter", "--json", "--processes", "2")


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def gone(pids: list[int]) -> None:
    """Wait until none of them runs: an orphan that nobody has buried yet does not."""
    async with asyncio.timeout(PATIENCE):
        while any(state(pid) not in {"", "Z"} for pid in pids):  # noqa: ASYNC110  # not ours
            await asyncio.sleep(0.01)


async def says(process: Process, words: str) -> None:
    """Wait until a process prints a line with these words."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while words not in (line := (await process.stdout.readline()).decode()):
            assert line, f"it ended without {words!r}"


async def on_their_way(process: Process) -> None:
    """Wait until it says that it stops, behind what is on the wire."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while b"on their way" not in (line := await process.stderr.readline()):
            assert line, "it ended without a word"


def at_dot(nth: int, deed: Callable[[], None]) -> Callable[[Turn], None]:
    """Do something when the so-manieth end of data was read and is not answered yet."""

    def watch(turn: Turn) -> None:
        if turn.stage == "dot" and turn.nth == nth:
            deed()

    return watch


async def test_everybody_has_one_letter_and_servers_no_more_connections_than_they_are_to(
    project: MailProject,
) -> None:
    emails = project.many(120)
    async with scripted() as server:
        project.servers(server.url(connections=3))
        project.save()
        result = await bulkmail(project.root, *TWO)

    summary = last_json(result.out)
    assert result.code == 0, result.err
    assert server.got == Counter(emails)
    assert server.peak <= 3
    assert (summary["sent"], summary["sent_in_run"], summary["total"]) == (120, 120, 120)


async def test_children_are_copies_of_the_command(project: MailProject) -> None:
    """Else each loads anew what the command has loaded, for half a second of a processor."""
    project.many(40)
    commands: list[bytes] = []

    def look(process: Process) -> None:
        pids = (process.pid, *children(process.pid))
        commands[:] = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]

    async with scripted() as server:
        project.servers(server.url(connections=2))
        project.save()
        async with running(project.root, *TWO) as process:
            server.watch = at_dot(5, lambda: look(process))
            result = await ended(process)

    assert result.code == 0, result.err
    assert len(commands) == 3
    assert set(commands[1:]) == {commands[0]}


async def test_one_connection_is_one_process(project: MailProject) -> None:
    emails = project.many(20)
    async with scripted() as server:
        project.servers(server.url(connections=1))
        project.save()
        result = await bulkmail(project.root, *TWO, "--verbose")

    assert result.code == 0, result.err
    assert server.got == Counter(emails)
    assert server.peak == 1
    assert "Processes: 1 (2 asked for" in result.err


async def test_a_killed_child_is_replaced_and_only_doubts_get_a_second_letter(
    project: MailProject,
) -> None:
    emails = project.many(120)
    async with scripted() as server:
        project.servers(server.url(connections=4))
        project.save(retry={"backoff": "100ms"})
        async with running(project.root, *TWO) as process:
            server.watch = at_dot(20, lambda: kill_all(children(process.pid)))
            result = await ended(process)
        report = await project.report()

    summary = last_json(result.out)
    twice = {email for email, copies in server.got.items() if copies > 1}
    message_ids = {(a.recipients, a.message_id) for a in server.accepted}
    assert result.code == 0, result.err
    assert "was killed (signal 9)" in result.err
    assert set(server.got) == set(emails)
    assert max(server.got.values()) <= 2
    assert len(twice) <= 4
    assert len(message_ids) == 120
    assert summary["sent"] == 120
    assert {row["state"] for row in report.values()} == {"sent"}


async def test_with_on_doubt_hold_nobody_has_two_after_a_child_was_killed(
    project: MailProject,
) -> None:
    project.many(80)
    async with scripted() as server:
        project.servers(server.url(connections=2))
        project.save(on_doubt="hold")
        async with running(project.root, *TWO) as process:
            server.watch = at_dot(10, lambda: kill_all(children(process.pid)))
            result = await ended(process)

    summary = last_json(result.out)
    assert result.code == 1, result.err
    assert set(server.got.values()) == {1}
    assert 1 <= summary["in_doubt"] <= 2
    assert summary["sent"] + summary["in_doubt"] == 80


async def test_a_run_whose_processes_die_again_and_again_ends_with_a_sentence(
    project: MailProject,
) -> None:
    project.many(40)
    async with scripted() as server:
        project.servers(server.url(connections=2))
        project.save()
        async with running(project.root, *TWO) as process:
            server.watch = lambda turn: (
                kill_all(children(process.pid)) if turn.stage == "connect" else None
            )
            result = await ended(process)
        server.watch = None
        again = await bulkmail(project.root, *TWO)

    assert result.code == 70, result.err
    assert "was killed (signal 9)" in result.err
    assert "Traceback" not in result.err
    assert again.code == 0, again.err
    assert set(server.got.values()) == {1}


async def test_a_killed_parent_leaves_no_process_behind_and_the_next_run_goes_on(
    project: MailProject,
) -> None:
    emails = project.many(120)
    orphans: list[int] = []

    def strike() -> None:
        orphans.extend(children(process.pid))
        process.kill()

    async with scripted() as server:
        server.watch = at_dot(20, strike)
        project.servers(server.url(connections=4))
        project.save(retry={"backoff": "100ms"})
        async with running(project.root, *TWO) as process:
            await process.wait()
            await gone(orphans)
        before = len(server.arrivals)
        again = await bulkmail(project.root, *TWO)

    copies = server.got
    assert len(orphans) == 2
    assert again.code == 0, again.err
    assert before < 120
    assert set(copies) == set(emails)
    assert max(copies.values()) <= 2
    assert sum(copies.values()) - 120 <= 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
async def test_a_signal_finishes_what_is_on_the_wire_in_every_process(
    project: MailProject, number: signal.Signals
) -> None:
    """Nor is one begun: at that rate none is through before a parent held up has told them."""
    emails = project.many(200)
    is_told = asyncio.Event()
    async with scripted(on("dot", Held(is_told, "250 2.0.0 taken"), after=10)) as server:
        project.servers(server.url(connections=4, rate="20/s"))
        project.save()
        async with running(project.root, *TWO) as process:
            server.watch = at_dot(11, lambda: process.send_signal(number))
            await on_their_way(process)
            is_told.set()
            result = await ended(process)
        states = await project.states()
        again = await bulkmail(project.root, *TWO)

    summary = last_json(result.out)
    assert result.code == 130, result.err
    assert summary["interrupted"] is True
    assert summary["in_doubt"] == 0
    assert summary["sent"] + summary["pending"] == 200
    assert set(states.values()) == {"sent", "pending"}
    assert again.code == 0, again.err
    assert server.got == Counter(emails)


async def test_a_second_signal_cuts_every_process(project: MailProject) -> None:
    emails = project.many(8)
    stuck = asyncio.Event()
    async with scripted(on("dot", HANG)) as server:
        server.watch = at_dot(1, stuck.set)
        project.servers(server.url(connections=2))
        project.save()
        async with running(project.root, *TWO) as process:
            await stuck.wait()
            process.send_signal(signal.SIGINT)
            await on_their_way(process)
            pids = children(process.pid)
            process.send_signal(signal.SIGINT)
            result = await ended(process)
            await gone(pids)

    summary = last_json(result.out)
    assert result.code == 130, result.err
    assert "Traceback" not in result.err
    assert 1 <= summary["in_doubt"] <= 2
    assert summary["in_doubt"] + summary["pending"] == len(emails)


async def test_a_refused_login_is_tried_once_and_not_by_every_process(
    project: MailProject,
) -> None:
    project.many(40)
    async with scripted(logins={"people": "right"}) as server:
        login = {"username": "people", "password": "${LETTER_PASSWORD}"}
        project.servers(server.url(connections=4, **login))
        project.save()
        result = await bulkmail(
            project.root, *TWO, "--verbose", environ={"LETTER_PASSWORD": "hunter2-wrong"}
        )

    summary = last_json(result.out)
    assert result.code == 3, result.err
    assert server.tried == [("people", "hunter2-wrong")]
    assert summary["pending"] == 40
    assert "535" in summary["stopped"]
    assert "hunter2" not in result.both


async def test_a_limit_is_the_limit_of_all_processes(project: MailProject) -> None:
    project.many(60)
    async with scripted() as server:
        project.servers(server.url(connections=4))
        project.save()
        result = await bulkmail(project.root, *TWO, "--limit", "7")

    summary = last_json(result.out)
    assert result.code == 0, result.err
    assert sum(server.got.values()) == len(server.got) == 7
    assert (summary["sent"], summary["pending"], summary["limit_reached"]) == (7, 53, True)


async def test_a_limit_holds_where_children_are_killed_on_the_way(project: MailProject) -> None:
    project.many(60)
    async with scripted() as server:
        project.servers(server.url(connections=4))
        project.save(retry={"backoff": "100ms"})
        async with running(project.root, *TWO, "--limit", "20") as process:
            server.watch = at_dot(8, lambda: kill_all(children(process.pid)))
            result = await ended(process)

    summary = last_json(result.out)
    assert result.code in {0, 1}, result.err
    assert "was killed (signal 9)" in result.err
    assert 8 <= len(server.got) <= 20
    assert summary["sent"] + summary["in_doubt"] <= 20
    assert summary["pending"] >= 40


async def test_stop_after_counts_the_refusals_of_all_processes(project: MailProject) -> None:
    project.many(100)
    async with scripted(on("dot", "554 5.7.1 this looks like spam")) as server:
        project.servers(server.url(connections=2))
        project.save(stop_after=6)
        result = await bulkmail(project.root, *TWO)

    summary = last_json(result.out)
    assert result.code == 3, result.err
    assert "6 messages in a row were refused (`stop_after`)" in summary["stopped"]
    # Each process counts as well, so that a parent that is held up burns no more than this.
    assert 6 <= len(server.arrivals) <= 2 * 6 + 2
    assert summary["failed"] + summary["pending"] + summary["deferred"] == 100


async def test_a_pace_holds_for_all_processes_together(project: MailProject) -> None:
    project.many(41)
    async with scripted() as server:
        project.servers(server.url(connections=8, rate="20/s"))
        project.save()
        result = await bulkmail(project.root, *TWO)

    summary = last_json(result.out)
    assert result.code == 0, result.err
    assert sum(server.got.values()) == 41
    # Forty spacings lie between the first slot and the last, by the sender's own clock.
    assert summary["elapsed_seconds"] >= 40 / 20


async def test_the_transcript_is_one_with_a_number_for_each_connection(
    project: MailProject, tmp_path: Path
) -> None:
    project.many(60)
    transcript = project.root / "dialogue.txt"
    async with scripted() as server:
        project.servers(server.url(connections=4))
        project.save()
        result = await bulkmail(project.root, *TWO, "--transcript", str(transcript))

    lines = transcript.read_text("utf-8").splitlines()
    assert result.code == 0, result.err
    assert sum(line.startswith("C: MAIL FROM:") for line in lines) == 60
    assert sum(line == "C: QUIT" for line in lines) == server.count("QUIT")
    assert all(re.match(r"C: |S: |  ", line) for line in lines)


async def test_a_pause_and_a_cancellation_reach_every_process(project: MailProject) -> None:
    project.many(200)
    begun = asyncio.Event()
    async with scripted() as server:
        server.watch = at_dot(5, begun.set)
        project.servers(server.url(connections=4, rate="20/s"))
        project.save()
        async with running(project.root, *TWO) as process:
            await begun.wait()
            cancelled = await bulkmail(project.root, "cancel", "letter")
            result = await ended(process)

    summary = last_json(result.out)
    assert cancelled.code == 0, cancelled.err
    assert result.code == 0, result.err
    assert summary["sent"] + summary["suppressed"] == 200
    assert summary["sent"] == sum(server.got.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--processes", "0"), "a number from 1"),
        (("--processes", "many"), "a number from 1"),
        (("--processes", "2", "--dry-run"), "--dry-run"),
        (("--processes", "auto", "--test-to", "me@example.com"), "--test-to"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_told(
    project: MailProject, arguments: tuple[str, ...], words: str
) -> None:
    project.servers({"host": "127.0.0.1", "port": 9, "security": "none"})
    project.save()

    result = await bulkmail(project.root, "send", "letter", *arguments)

    assert result.code == 2
    assert words in result.err


async def test_a_scheduler_s_run_has_processes_too_and_leaves_others_a_connection(
    project: MailProject,
) -> None:
    emails = project.many(60)
    seen: set[int] = set()
    async with scripted() as server:
        project.shared["servers"] = {"one": server.url(connections=3)}
        project.save(schedule={"at": "2020-01-01T09:00", "timezone": "UTC"}, retry=QUICK)
        project.write("campaigns/second.yaml", project.path.read_text("utf-8"))
        async with running(project.root, "run", "--once", "--processes", "2") as process:
            server.watch = lambda turn: (
                seen.update(children(process.pid)) if turn.stage == "dot" else None
            )
            result = await ended(process)

    assert result.code == 0, result.err
    assert len(seen) == 2
    assert server.got == dict.fromkeys(emails, 2)
    assert server.peak <= 3


async def test_what_has_to_wait_is_sent_by_the_scheduler_itself(project: MailProject) -> None:
    emails = project.many(10)
    under_way: list[Process] = []
    by_children: list[str] = []

    def later_to_children(turn: Turn) -> str | None:
        if turn.stage != "rcpt" or not children(under_way[0].pid):
            return None
        by_children.append(turn.address)
        return "450 4.2.0 greylisted"

    async with scripted(later_to_children) as server:
        project.servers(server.url(connections=3))
        project.save(schedule={"at": "2020-01-01T09:00", "timezone": "UTC"}, retry=QUICK)
        async with running(project.root, "run", "--processes", "2") as process:
            under_way.append(process)
            await says(process, "10 recipients: 10 sent")
            process.send_signal(signal.SIGTERM)
            result = await ended(process)

    assert result.code == 130, result.err
    assert by_children
    assert server.got == dict.fromkeys(emails, 1)
