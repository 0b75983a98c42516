"""What a person orders while a run is under way in another process."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process

from support.mail_project import PEOPLE, MailProject, last_json
from support.program import PATIENCE, bulkmail, ended, running
from support.scripted_server import Held, Turn, greylist, on, scripted

ADA, BOB, EVE = PEOPLE


async def happened(event: asyncio.Event, run: Process) -> None:
    """Wait for it, for as long as the run may bring it about."""
    waiting = asyncio.create_task(event.wait())
    over = asyncio.create_task(run.wait())
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([waiting, over], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, over):
        task.cancel()
    assert event.is_set(), "the run ended before"


class Sent:
    """Set when so many messages were taken."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.reached = asyncio.Event()

    def __call__(self, turn: Turn) -> None:
        if turn.stage == "dot" and turn.nth >= self._count:
            self.reached.set()


#: At 10/s longer than a second command takes to start, on a machine that is busy, too.
MANY = 100


async def says(run: Process, words: str) -> None:
    """Wait until it says that on stderr."""
    assert run.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while words not in (line := (await run.stderr.readline()).decode()):
            assert line, f"it ended without {words!r}"


async def test_a_run_is_paused_and_goes_on(project: MailProject) -> None:
    emails = project.many(MANY)
    some, is_ordered = Sent(3), asyncio.Event()
    async with scripted(on("dot", Held(is_ordered, "250 2.0.0 taken"), after=3)) as server:
        server.watch = some
        server.extensions = []
        project.servers(server.url(rate="10/s", connections=1))
        project.save()
        async with running(project.root, "send", "letter", "--json") as run:
            await happened(some.reached, run)
            paused = await bulkmail(project.root, "pause", "letter")
            is_ordered.set()
            await says(run, "paused by")
            after = len(server.accepted)
            status = await bulkmail(project.root, "status", "letter", "--json")
            still = len(server.accepted)
            resumed = await bulkmail(project.root, "resume", "letter")
            result = await ended(run)

    assert (paused.code, resumed.code) == (0, 0)
    assert "the run under way waits" in paused.out
    assert "the run under way goes on" in resumed.out
    # One may have been on the wire; of a run that goes on more would be through.
    assert still - after <= 1
    assert still < MANY
    assert last_json(status.out)["halt"] == "paused"
    assert result.code == 0, result.err
    assert server.got == dict.fromkeys(emails, 1)


async def test_a_paused_run_that_is_not_to_wait_leaves_with_75(project: MailProject) -> None:
    project.many(10 * MANY)
    some = Sent(3)
    async with scripted() as server:
        server.watch = some
        project.servers(server.url(rate="10/s", connections=1))
        project.save()
        async with running(project.root, "send", "letter", "--json", "--no-wait") as run:
            await happened(some.reached, run)
            await bulkmail(project.root, "pause", "letter")
            result = await ended(run)
        second = await bulkmail(project.root, "send", "letter")

    summary = last_json(result.out)
    assert result.code == 75
    assert (summary["halt"], summary["stopped"]) == ("paused", "paused by `bulkmail pause`")
    assert summary["sent"] + summary["pending"] == 10 * MANY
    assert second.code == 75
    assert "paused by `bulkmail pause`" in second.out
    assert "bulkmail resume letter" in second.out


async def test_a_cancelled_run_ends_and_leaves_nobody_waiting(project: MailProject) -> None:
    project.many(10 * MANY)
    some = Sent(3)
    async with scripted() as server:
        server.watch = some
        project.servers(server.url(rate="10/s", connections=2))
        project.save()
        async with running(project.root, "send", "letter", "--json") as run:
            await happened(some.reached, run)
            cancelled = await bulkmail(project.root, "cancel", "letter")
            result = await ended(run)

    summary = last_json(result.out)
    assert cancelled.code == 0
    assert result.code == 0, result.err
    assert summary["halt"] == "cancelled"
    assert summary["sent"] == len(server.accepted) < 10 * MANY
    assert summary["suppressed"] == 10 * MANY - summary["sent"]


async def test_a_run_that_waits_takes_up_who_is_retried(project: MailProject) -> None:
    full = on("rcpt", "552 5.2.2 mailbox full", to=BOB, times=1)
    refused, sent = asyncio.Event(), asyncio.Event()

    def watch(turn: Turn) -> None:
        if turn.stage == "rcpt" and turn.address == EVE:
            refused.set()
        if turn.stage == "dot" and turn.address == BOB:
            sent.set()

    async with scripted(full, on("rcpt", "450 4.2.1 later", to=EVE)) as server:
        server.watch = watch
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "1h"})
        async with running(project.root, "send", "letter") as run:
            await happened(refused, run)
            retried = await bulkmail(project.root, "retry", "letter")
            await happened(sent, run)
            run.send_signal(signal.SIGINT)
            result = await ended(run)

    assert retried.out.startswith("1 recipient is pending again.")
    assert result.code == 130
    assert server.got == {ADA: 1, BOB: 1}


async def test_a_run_under_way_keeps_its_name_and_its_row_data(project: MailProject) -> None:
    begun = asyncio.Event()
    async with scripted(greylist(1)) as server:
        server.watch = lambda turn: begun.set() if turn.stage == "rcpt" else None
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        async with running(project.root, "send", "letter") as run:
            await happened(begun, run)
            refused = [
                await bulkmail(project.root, *command)
                for command in (("rename", "letter", "other"), ("purge", "letter"))
            ]
            run.send_signal(signal.SIGINT)
            await ended(run)
        done = [
            await bulkmail(project.root, *command)
            for command in (("purge", "letter"), ("rename", "letter", "other"))
        ]

    assert [other.code for other in refused] == [2, 2]
    assert all("another run of 'letter' is under way" in other.err for other in refused)
    assert [other.code for other in done] == [0, 0], done
    assert set((await project.states("other")).values()) == {"deferred"}
