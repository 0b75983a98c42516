"""Two runs at once, and ledgers that cannot be used."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

import pytest
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


def broken(project: MailProject, kind: str) -> Path:
    """A ledger that cannot be used."""
    path = project.ledger
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("this is no database, though it is long enough to be one\n" * 20)
    elif kind == "another":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.commit()
        connection.close()
    else:
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize("kind", ["folder", "text", "another"])
@pytest.mark.parametrize("command", [("send", "letter"), ("status",), ("suppress", "list")])
async def test_a_ledger_that_is_none_is_told_in_a_sentence(
    project: MailProject, kind: str, command: tuple[str, ...]
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        path = broken(project, kind)
        before = path.read_bytes() if path.is_file() else b""
        result = await bulkmail(project.root, *command)

    assert result.code in {2, 3}, result.both
    assert result.code == 3 or command[0] != "send"
    assert "ledger.db" in result.err
    assert "Traceback" not in result.err
    assert not server.commands
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_an_empty_file_is_a_ledger_to_be(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        broken(project, "empty")
        result = await bulkmail(project.root, "send", "letter")

    assert result.code == 0, result.err


async def test_a_ledger_of_a_newer_version_is_refused_with_a_sentence(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        project.sql("INSERT INTO migration (version, applied_at) VALUES (999, 0)")
        result = await bulkmail(project.root, "send", "letter")

    assert result.code == 3
    assert "newer" in result.err
    assert len(server.arrivals) == 1


async def test_a_ledger_below_a_file_stops_the_run(project: MailProject) -> None:
    """What stands for a folder that cannot be written where the tests are run by root."""
    async with scripted() as server:
        project.servers(server.url())
        project.save()
        project.write(".bulkmail", "a file")
        result = await bulkmail(project.root, "send", "letter")

    assert result.code == 3, result.both
    assert ".bulkmail" in result.err
    assert "Traceback" not in result.err
    assert not server.commands


@pytest.mark.parametrize("url", ["postgresql://localhost/mail", "sqlite:///x.db"])
async def test_a_database_url_is_refused_with_a_sentence(project: MailProject, url: str) -> None:
    project.servers({"host": "127.0.0.1", "port": 9})
    project.save()

    result = await bulkmail(project.root, "send", "letter", "--ledger", url)

    assert result.code == 2
    assert "later version" in result.err


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
