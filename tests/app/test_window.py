"""`send` keeps to the campaign's window and ignores its `at` and `every`."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.mail_project import PEOPLE, MailProject
from support.program import PATIENCE
from support.scripted_server import scripted
from support.watching import Announcements

SHANGHAI = ZoneInfo("Asia/Shanghai")


def window(begin: int, end: int) -> dict[str, str]:
    """A window from so many minutes from now to so many, in a zone that is not the system's."""
    now = datetime.now(SHANGHAI)
    hours = [f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (begin, end)]
    return {"window": "-".join(hours), "timezone": "Asia/Shanghai"}


async def test_a_shut_window_is_waited_for_with_nothing_sent(project: MailProject) -> None:
    heard = Announcements()
    async with scripted() as server:
        project.servers(server.url())
        began = datetime.now(SHANGHAI).timestamp()
        project.save(schedule=window(120, 180))

        leaving = await project.send(no_wait=True)
        waiting = asyncio.create_task(project.send(watch=heard))
        async with asyncio.timeout(PATIENCE):
            await heard.waited.wait()
        waiting.cancel()
        await asyncio.wait([waiting])

    ((sentence, until), *_) = heard.waits
    assert leaving.exit_code == 75
    assert leaving.counts.pending == 3
    assert "window" in sentence
    assert until is not None
    assert until - began == pytest.approx(7200, abs=90)
    assert not server.commands


@pytest.mark.parametrize(
    ("begin", "end", "code"), [(-60, 60, 0), (60, 1379, 75), (-120, -60, 75), (-700, 700, 0)]
)
async def test_an_open_window_and_a_shut_one_are_told_apart(
    project: MailProject, begin: int, end: int, code: int
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule=window(begin, end))

        summary = await project.send(no_wait=True)

    assert summary.exit_code == code


async def test_a_shut_window_is_ignored_when_that_is_asked_for(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule=window(120, 180))

        summary = await project.send(ignore_window=True)

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


@pytest.mark.parametrize(
    "schedule", [{"at": "2099-12-01T09:00"}, {"every": "0 9 * * 1", "timezone": "Europe/Berlin"}]
)
async def test_when_a_campaign_is_due_makes_no_difference_to_send(
    project: MailProject, schedule: dict[str, str]
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule=schedule)

        summary = await project.send()

    assert (summary.exit_code, summary.campaign) == (0, "letter")


async def test_a_dry_run_and_a_test_message_know_no_window(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule=window(120, 180))

        dry = await project.send(dry_run=True, out=project.root / "out")
        test = await project.send(test_to="me@example.com")

    assert (dry.exit_code, test.exit_code) == (0, 0)
