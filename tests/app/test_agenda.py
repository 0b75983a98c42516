"""`bulkmail schedule`: what is due when, and what became of it."""

from __future__ import annotations

import json

from support.commandline import Cli
from support.mail_project import MailProject
from support.scheduling import Timekeeper
from support.scripted_server import scripted

from bulkmail.app.scheduling.agenda import agenda

NOWHERE = {"host": "127.0.0.1", "port": 9, "security": "none"}


def test_the_next_times_are_told_in_both_zones(project: MailProject, cli: Cli) -> None:
    project.servers(NOWHERE)
    project.save(
        schedule={
            "every": "0 9 * * *",
            "timezone": "Asia/Shanghai",
            "window": "10:00-18:00",
            "until": "2099-01-01",
        }
    )

    told = cli("schedule", "next", "letter", "--count", "3")
    exact = json.loads(cli("schedule", "next", "--count", "3", "--json").out)

    assert told.code == 0
    assert told.out.count("T09:00+08:00") == 3
    assert [one["campaign"] for one in exact] == ["letter"] * 3
    assert all(one["due_at"].endswith("T01:00:00Z") for one in exact)
    assert all(one["begins_at"].endswith("T02:00:00Z") for one in exact)


def test_campaigns_with_a_schedule_are_listed_and_others_are_not(
    project: MailProject, cli: Cli
) -> None:
    project.servers(NOWHERE)
    text = project.save().read_text("utf-8")
    project.write("campaigns/new-year.yaml", f"{text}schedule: {{at: 2099-01-01T09:00}}\n")
    project.write("campaigns/broken.yaml", "schedule: {at: soon}\n")

    listed = cli("schedule", "list")
    exact = json.loads(cli("schedule", "list", "--json").out)

    assert (listed.code, [one["campaign"] for one in exact]) == (0, ["new-year"])
    assert "2099-01-01T09:00" in listed.out
    assert "broken.yaml:1:" in listed.err
    assert not project.ledger.exists()


def test_a_campaign_without_a_schedule_cannot_be_asked_for(project: MailProject, cli: Cli) -> None:
    project.servers(NOWHERE)
    project.save()

    result = cli("schedule", "next", "letter")

    assert result.code == 2
    assert "`letter`" in result.err


async def some_history(project: MailProject) -> None:
    keeper = Timekeeper(project)
    async with scripted() as server:
        project.servers(server.url())
        text = project.save(schedule={"every": "1h"}).read_text("utf-8")
        project.write(
            "campaigns/late.yaml",
            text.replace("every: 1h", "at: 2020-01-01T09:00\n  misfire: skip"),
        )
        await keeper.once()
        keeper.clock.skip(3 * 3600)
        await keeper.once()


async def test_history_tells_what_ran_what_was_skipped_and_why(
    project: MailProject,
) -> None:
    await some_history(project)

    async with agenda(project.root) as (found, errors):
        latest, skipped = await found.history()
        (alone,) = await found.history("late")

    assert not errors
    assert (latest.occurrence.outcome, latest.occurrence.missed) == ("done", 2)
    assert latest.counts is not None
    assert latest.counts.sent == 3
    assert alone == skipped
    assert "too late" in skipped.occurrence.reason
    assert skipped.counts is not None
    assert skipped.counts.suppressed == 3
