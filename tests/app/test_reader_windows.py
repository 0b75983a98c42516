"""`recipient_timezone`: the window is counted on the reader's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.mail_project import MailProject
from support.scripted_server import scripted

from bulkmail.errors import ConfigurationError


def zones() -> tuple[str, str, str]:
    """A window of two hours around now in UTC; a zone in which it is open, and one that is shut."""
    now = datetime.now(UTC)
    hours = [f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (-60, 60)]
    return "-".join(hours), "Etc/UTC", "Etc/GMT+12"


def save(project: MailProject, zone: str = "Etc/GMT+12", **schedule: object) -> None:
    hours, open_zone, _ = zones()
    rows = [
        {"email": "here@example.com", "name": "H", "zone": open_zone},
        {"email": "there@example.com", "name": "T", "zone": zone},
        {"email": "anywhere@example.com", "name": "A", "zone": ""},
    ]
    project.save(
        recipients=rows,
        schedule={
            "window": hours,
            "recipient_timezone": "zone",
            "timezone": "Etc/UTC",
            **schedule,
        },
    )


async def sent_with(project: MailProject, schedule: dict[str, str]) -> None:
    project.save(schedule=schedule)
    await project.send()


async def test_who_sleeps_is_not_sent_to_and_who_does_not_is(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        save(project)

        summary = await project.send(no_wait=True)

    assert (summary.exit_code, summary.counts.sent, summary.counts.pending) == (75, 2, 1)
    assert "there@example.com" not in server.got
    assert summary.waiting_until is not None
    opens = datetime.fromtimestamp(summary.waiting_until, UTC)
    assert abs(opens - datetime.now(UTC) - timedelta(hours=11)) < timedelta(minutes=5)


async def test_who_waited_is_sent_to_once_the_window_is_ignored(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        save(project)
        await project.send(no_wait=True)

        summary = await project.send(ignore_window=True)

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(
        ["here@example.com", "there@example.com", "anywhere@example.com"], 1
    )


async def test_an_unknown_zone_is_a_fault_of_its_row(project: MailProject) -> None:
    project.people(["ada@example.com"], zone="Mars/Olympus")
    hours, _, _ = zones()

    with pytest.raises(ConfigurationError, match=r"list\.csv:2.*`zone`: `Mars/Olympus` is no IANA"):
        await sent_with(project, {"window": hours, "recipient_timezone": "zone"})


async def test_a_column_that_is_not_there_is_a_fault(project: MailProject) -> None:
    hours, _, _ = zones()

    with pytest.raises(ConfigurationError, match=r"recipient_timezone: there is no column `zone`"):
        await sent_with(project, {"window": hours, "recipient_timezone": "zone"})
