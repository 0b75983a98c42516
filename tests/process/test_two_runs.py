"""Two runs at once, a run that was killed, and what a run leaves on the disk."""

from __future__ import annotations

import asyncio
import signal

from support.mail_project import PEOPLE, MailProject
from support.program import bulkmail, ended, running
from support.scripted_server import greylist, scripted

ADA, BOB, EVE = PEOPLE


async def test_the_second_run_of_a_campaign_says_so_and_exits_2(project: MailProject) -> None:
    begun = asyncio.Event()
    async with scripted(greylist(1)) as server:
        server.watch = lambda _: begun.set()
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        async with running(project.root, "send", "letter") as first:
            await begun.wait()
            second = await bulkmail(project.root, "send", "letter")
            others = [
                await bulkmail(project.root, *command)
                for command in (
                    ("status", "letter"),
                    ("report", "letter"),
                    ("check", "letter"),
                    ("send", "letter", "--dry-run"),
                    ("suppress", "add", BOB),
                )
            ]
            first.send_signal(signal.SIGINT)
            result = await ended(first)

    assert second.code == 2
    assert "another run" in second.err
    assert [other.code for other in others] == [0] * 5, others
    assert result.code == 130


async def test_a_killed_run_blocks_nobody(project: MailProject) -> None:
    begun = asyncio.Event()
    async with scripted(greylist(1)) as server:
        server.watch = lambda turn: begun.set() if turn.stage == "rcpt" else None
        project.servers(server.url())
        project.save(retry={"backoff": "100ms"})
        async with running(project.root, "send", "letter") as first:
            await begun.wait()
            first.send_signal(signal.SIGKILL)
            await first.wait()
        again = await bulkmail(project.root, "send", "letter")

    assert again.code == 0, again.err
    assert set(server.got) == set(PEOPLE)


async def test_two_campaigns_run_at_once_on_one_ledger(project: MailProject) -> None:
    async with scripted() as server:
        project.many(50)
        project.servers(server.url())
        path = project.save()
        project.write("campaigns/other.yaml", path.read_bytes())
        results = await asyncio.gather(
            bulkmail(project.root, "send", "letter"), bulkmail(project.root, "send", "other")
        )

    assert [result.code for result in results] == [0, 0], results
    assert set(server.got.values()) == {2}


async def test_the_programs_folder_is_for_its_owner_alone(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        result = await bulkmail(project.root, "send", "letter")

    home = project.ledger.parent
    assert result.code == 0
    assert home.stat().st_mode & 0o777 == 0o700
    for path in home.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert str(project.ledger) in result.both, "send prints the ledger's path"
