"""A list that is asked for, on the whole road: each run asks, nobody gets it twice."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from support.commandline import Cli
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import scripted
from support.watching import Announcements

from bulkmail import Campaign, SendOptions, send
from bulkmail.app.options import Occasion
from bulkmail.errors import NobodyToSendTo, SourceUnavailable


def fill(project: MailProject, *people: str) -> None:
    with contextlib.closing(sqlite3.connect(project.root / "crm.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS person (email TEXT, name TEXT, at TEXT)")
        database.executemany(
            "INSERT INTO person VALUES (?, 'N', '2026-01-01 00:00:00')",
            [(address,) for address in people],
        )


@pytest.fixture
def asking(project: MailProject) -> MailProject:
    """The project, its three people in a database."""
    fill(project, *PEOPLE)
    project.keys["recipients"] = {
        "sql": "SELECT * FROM person WHERE at > :last_run ORDER BY email",
        "url": "sqlite:///crm.db",
    }
    return project


async def test_each_run_asks_again_and_sends_to_who_is_new(asking: MailProject) -> None:
    async with scripted() as server:
        asking.servers(server.url())
        await asking.send(limit=2)
        fill(asking, "new@example.com")
        summary = await asking.send()

    assert server.got == dict.fromkeys([*PEOPLE, "new@example.com"], 1)
    assert (summary.exit_code, summary.counts.sent) == (0, 4)
    assert list((asking.root / ".bulkmail" / "lists").glob("run-*")) == []


async def test_a_list_that_gave_the_same_rows_is_not_checked_again(asking: MailProject) -> None:
    watch = Announcements()
    async with scripted() as server:
        asking.servers(server.url())
        await asking.send(limit=1)
        await asking.send(watch=watch)

    assert "List and templates are as they were checked." in watch.lines


async def test_an_occasion_says_when_the_one_before_was(asking: MailProject) -> None:
    async with scripted() as server:
        asking.servers(server.url())
        asking.save()
        options = SendOptions(dry_run=True, out=asking.root / "out")
        first = await send(Campaign.load(asking.path), options)
        late = SendOptions(occasion=Occasion(series="letter", last_run=1_900_000_000.0))
        with pytest.raises(NobodyToSendTo):
            await send(Campaign.load(asking.path), late)

    assert first.counts.total == 3
    assert server.got == {}


async def test_a_source_that_fails_leaves_everybody_where_he_was(asking: MailProject) -> None:
    async with scripted() as server:
        asking.servers(server.url())
        await asking.send(limit=1)
        (asking.root / "crm.db").write_bytes(b"no database at all")
        with pytest.raises(SourceUnavailable):
            await asking.send()
        states = {row["state"] for row in (await asking.report()).values()}

    assert states == {"sent", "pending"}


def test_the_sentence_has_no_password_and_the_code_is_two(
    project: MailProject, cli: Cli, unasked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_URL", "postgresql://app:geheim@127.0.0.1:1/crm")
    project.keys["recipients"] = {"sql": "SELECT 1", "url": "${DB_URL}"}
    project.servers({"host": "127.0.0.1", "port": unasked, "security": "none"})
    project.save()

    result = cli("send", "letter")

    log = (project.root / ".bulkmail" / "bulkmail.log").read_text()
    assert result.code == 2
    assert "postgresql://app:***@127.0.0.1:1/crm gave no list" in result.err
    assert "geheim" not in result.out + result.err + log
    assert Path(project.root / ".bulkmail" / "ledger.db").read_bytes().find(b"geheim") == -1


async def test_one_list_begins_where_the_one_before_ended(asking: MailProject) -> None:
    asking.keys["recipients"] = {
        "sql": "SELECT * FROM person WHERE at > :last_run AND at <= :now",
        "url": "sqlite:///crm.db",
    }
    at = 1_767_225_600.0  # the instant at which all of them came: 2026-01-01T00:00:00Z
    campaign = Campaign.load(asking.save(servers=[{"host": "127.0.0.1", "security": "none"}]))
    options = SendOptions(dry_run=True, out=asking.root / "out")

    first = await send(
        campaign, replace(options, occasion=Occasion(series="letter", now=at)), environ={}
    )
    second = Occasion(series="letter", last_run=at, now=at + 600)
    with pytest.raises(NobodyToSendTo):
        await send(campaign, replace(options, occasion=second), environ={})

    assert first.counts.total == 3
