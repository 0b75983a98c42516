"""Ledgers that cannot be used: a sentence, an exit code, and nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest
from support.commandline import Cli
from support.mail_project import MailProject
from support.scripted_server import scripted
from support.watching import Announcements, HandClock

from bulkmail.app import ledger_silence
from bulkmail.app.ledger_silence import told_of_silence
from bulkmail.errors import LedgerError
from bulkmail.ledger import Ledger


def broken(project: MailProject, kind: str) -> Path:
    """A ledger that cannot be used."""
    path = project.ledger
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("this is no database, though it is long enough to be one\n" * 20)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.commit()
        connection.close()
    return path


def by_nobody(project: MailProject, port: int) -> None:
    """The campaign, by a server that is not to be asked."""
    project.servers({"host": "127.0.0.1", "port": port, "security": "none"})
    project.save()


@pytest.mark.parametrize("kind", ["folder", "text", "another"])
@pytest.mark.parametrize("command", [("send", "letter"), ("status",), ("suppress", "list")])
def test_a_ledger_that_is_none_is_told_in_a_sentence(
    project: MailProject, kind: str, command: tuple[str, ...], cli: Cli, unasked: int
) -> None:
    by_nobody(project, unasked)
    path = broken(project, kind)
    before = path.read_bytes() if path.is_file() else b""

    result = cli(*command)

    assert result.code in {2, 3}, result.both
    assert result.code == 3 or command[0] != "send"
    assert "ledger.db" in result.err
    assert "Traceback" not in result.err
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize(
    "command",
    [("send", "letter"), ("send", "letter", "--dry-run"), ("status",), ("retry", "letter")],
)
def test_a_ledger_that_cannot_be_looked_at_is_told_in_a_sentence(
    project: MailProject, command: tuple[str, ...], cli: Cli, unasked: int
) -> None:
    """As one in a folder of another user; a name too long is refused to root as well."""
    by_nobody(project, unasked)

    result = cli(*command, "--ledger", "a" * 300)

    assert result.code == 3, result.both
    assert "The ledger /" in result.err


class Releasing(Announcements):
    """Lets go of the ledger when it is told that this does not answer."""

    def __init__(self, holder: sqlite3.Connection) -> None:
        super().__init__()
        self._holder = holder

    def announce(self, sentence: str) -> None:
        super().announce(sentence)
        if "another program keeps it locked" in sentence:
            self._holder.rollback()


async def test_a_ledger_that_is_locked_before_anything_is_sent_is_told_of_and_waited_for(
    project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_silence, "SLOW", 0.02)
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        with contextlib.closing(sqlite3.connect(project.ledger)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            watch = Releasing(holder)

            summary = await project.send(watch=watch)

    assert summary.exit_code == 0
    assert [line for line in watch.lines if "does not answer" in line] == [ledger_silence.SILENT]


async def test_a_ledger_that_breaks_before_anything_is_sent_is_told_of_by_who_asked_alone() -> None:
    loop = asyncio.get_running_loop()
    asked, ours, theirs = asyncio.Event(), loop.create_future(), loop.create_future()

    class Breaking:
        async def campaigns(self) -> None:
            asked.set()
            await theirs

    told: list[Any] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with told_of_silence(cast("Ledger", Breaking()), HandClock(), told.append):
        await asked.wait()
        ours.set_exception(LedgerError("ours"))
        theirs.set_exception(LedgerError("theirs"))
        with pytest.raises(LedgerError, match="ours"):
            await ours
    gc.collect()

    assert told == []


async def test_an_empty_file_is_a_ledger_to_be(project: MailProject) -> None:
    project.write(".bulkmail/ledger.db", "")
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send()

    assert summary.exit_code == 0


async def test_a_ledger_of_a_newer_version_is_refused_with_a_sentence(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        project.sql("INSERT INTO migration (version, applied_at) VALUES (999, 0)")

        with pytest.raises(LedgerError, match="newer") as refusal:
            await project.send()

    assert refusal.value.exit_code == 3
    assert len(server.arrivals) == 1


def test_a_ledger_below_a_file_stops_the_run(project: MailProject, cli: Cli, unasked: int) -> None:
    """What stands for a folder that cannot be written: the tests may be run by root."""
    by_nobody(project, unasked)
    project.write(".bulkmail", "a file")

    result = cli("send", "letter")

    assert result.code == 3, result.both
    assert ".bulkmail" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("url", ["postgresql://localhost/mail", "sqlite:///x.db"])
def test_a_database_url_is_refused_with_a_sentence(
    project: MailProject, url: str, cli: Cli, unasked: int
) -> None:
    by_nobody(project, unasked)

    result = cli("send", "letter", "--ledger", url)

    assert result.code == 2
    assert "later version" in result.err
    project.shared = {"ledger": {"path": url}}
    project.save()
    assert cli("send", "letter").code == 2


def test_a_ledger_can_lie_where_it_is_wanted(project: MailProject, cli: Cli) -> None:
    by_nobody(project, 9)
    for place in (project.root / "deep" / "er" / "ledger.db", Path("relative.db")):
        assert cli("send", "letter", "--limit", "0", "--ledger", str(place)).code == 0
        assert (project.root / place).is_file()
        assert cli("status", "letter", "--ledger", str(place)).code == 0
    assert not project.ledger.exists()


@pytest.mark.parametrize(
    "command",
    [("status",), ("report", "letter"), ("schedule", "list"), ("send", "letter", "--dry-run")],
    ids=" ".join,
)
def test_a_ledger_that_is_gone_is_no_ledger_without_anybody(
    project: MailProject, cli: Cli, command: tuple[str, ...]
) -> None:
    """That nothing was sent yet would be untrue."""

    async def send() -> None:
        async with scripted() as server:
            project.servers(server.url())
            await project.send()

    asyncio.run(send())
    project.ledger.unlink()

    result = cli(*command)

    assert result.code == 3, result.both
    assert "is gone, but it was in use before" in result.err
    assert not project.ledger.exists()


@pytest.mark.parametrize("command", ["status", "report letter", "schedule list", "pause letter"])
def test_a_file_where_the_ledger_s_folder_would_be_is_no_fault_of_ours(
    project: MailProject, cli: Cli, command: str
) -> None:
    by_nobody(project, 9)
    project.ledger.parent.touch()

    result = cli(*command.split())

    assert result.code in {0, 2}, result.both
    assert "fault of its own" not in result.err
