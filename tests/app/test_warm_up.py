"""A server that is to send a little more each day, on the whole road."""

from __future__ import annotations

import pytest
from support.mail_project import MailProject
from support.scripted_server import scripted

from bulkmail import Campaign
from bulkmail.app import records
from bulkmail.cli.standing import standing_json, standing_lines
from bulkmail.errors import ConfigurationError

RAMP = {"start": "2/day", "factor": 2, "until": "100/day"}


async def test_the_quota_of_day_one_holds_over_runs_and_status_shows_it(
    project: MailProject,
) -> None:
    project.many(5)
    async with scripted() as server:
        project.servers(server.url(warm_up=RAMP))
        first = await project.send(no_wait=True)
        again = await project.send(no_wait=True)

    assert (first.exit_code, first.counts.sent) == (75, 2)
    assert (again.exit_code, again.counts.sent) == (75, 2)
    assert "2/day" in first.stopped


async def test_status_tells_the_day(project: MailProject) -> None:
    project.many(3)
    async with scripted() as server:
        project.servers(server.url(warm_up=RAMP))
        await project.send(no_wait=True)
    project.sql("UPDATE warm_up SET began_at = began_at - 86400")

    (status,) = await records.status(project.root, "letter", project.ledger)

    assert "warming up, day 2: 4 a day until" in "\n".join(
        standing_lines(status, with_details=True)
    )
    (warming,) = standing_json(status)["warming_up"]
    assert (warming["day"], warming["per_day"], warming["until_per_day"]) == (2, 4, 100)


def test_a_ramp_that_falls_is_refused(project: MailProject) -> None:
    project.servers({"host": "127.0.0.1", "warm_up": {"start": "9/day", "until": "5/day"}})

    with pytest.raises(ConfigurationError, match="`until` is less than `start`"):
        Campaign.load(project.save())


def test_a_ramp_is_by_the_day(project: MailProject) -> None:
    project.servers({"host": "127.0.0.1", "warm_up": {"start": "9/h", "until": "50/day"}})

    with pytest.raises(ConfigurationError, match="must be a number a day"):
        Campaign.load(project.save())
