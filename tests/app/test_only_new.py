"""`only_new` on the whole road: rows added between occurrences are who is sent to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import scripted
from support.watching import Announcements

from bulkmail import Campaign, SendOptions, Summary, send
from bulkmail.app.options import Occasion
from bulkmail.errors import NobodyToSendTo


async def occur(project: MailProject, minute: int, watch: Announcements | None = None) -> Summary:
    """The occurrence of that minute."""
    campaign = Campaign.load(project.save(only_new=True))
    name = f"letter@20261201T01{minute:02}00Z"
    options = SendOptions(occasion=Occasion(series="letter"), as_new=True)
    return await send(replace(campaign, name=name), options, environ={}, watch=watch)


async def test_each_occurrence_sends_to_who_came_since(project: MailProject) -> None:
    watch = Announcements()
    async with scripted() as server:
        project.servers(server.url())
        first = await occur(project, 0)
        project.people([*PEOPLE, "new@example.com"])
        second = await occur(project, 10, watch)
        with pytest.raises(NobodyToSendTo, match="nobody is new: of 4 recipients"):
            await occur(project, 20)
        project.people([*PEOPLE, "new@example.com", "late@example.com"])
        plain = await project.send(as_new=True)

    assert (first.counts.sent, second.counts.sent, plain.counts.sent) == (3, 1, 1)
    assert server.got == dict.fromkeys([*PEOPLE, "new@example.com", "late@example.com"], 1)
    told = "letter@20261201T011000Z → 1 recipient, 3 left out, whom an earlier occurrence has"
    assert told in watch.lines
