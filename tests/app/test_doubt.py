"""The connection was lost between the end of data and its answer: once more, or held."""

from __future__ import annotations

import time

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import CUT, HANG, Drip, Rule, on, scripted
from support.watching import Announcements

ADA, BOB, EVE = PEOPLE
LOST = [on("dot", CUT, times=1), on("dot", HANG, times=1), on("dot", Drip("250 ok"), times=1)]
HOW = ["cut", "hang", "drip"]


@pytest.mark.parametrize("rule", LOST, ids=HOW)
async def test_a_doubt_is_sent_again_once_after_the_back_off_with_the_same_message_id(
    project: MailProject, rule: Rule
) -> None:
    project.people([ADA])
    async with scripted(rule) as server:
        project.servers(server.url(data_timeout="200ms"))
        project.save(retry={"backoff": "400ms"})

        summary = await project.send()

    first, second = server.arrivals
    assert summary.exit_code == 0
    assert first.message_id == second.message_id != ""
    assert second.at - first.at >= 0.4
    assert (await project.report())[ADA]["state"] == "sent"


async def test_a_second_doubt_holds_the_row_for_a_person(project: MailProject) -> None:
    async with scripted(on("dot", CUT, to=BOB)) as server:
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()
        again = await project.send()

    assert (summary.exit_code, again.exit_code) == (1, 1)
    assert (await project.states())[BOB] == "in_doubt"
    assert sum(arrival.recipients == (BOB,) for arrival in server.arrivals) == 2
    assert server.got == {ADA: 1, EVE: 1}


async def test_on_doubt_hold_leaves_the_row_in_doubt_at_once(project: MailProject) -> None:
    async with scripted(on("dot", CUT, to=BOB)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "20ms"}, on_doubt="hold")

        summary = await project.send()
        again = await project.send()

    row = (await project.report())[BOB]
    assert (summary.exit_code, again.exit_code) == (1, 1)
    assert summary.to_json()["in_doubt"] == 1
    assert row["state"] == "in_doubt"
    assert row["stage"] == "end of data"
    assert row["attempts"] == 1
    assert sum(arrival.recipients == (BOB,) for arrival in server.arrivals) == 1


async def test_a_doubt_that_waits_for_its_resend_is_exit_75_with_no_wait(
    project: MailProject,
) -> None:
    async with scripted(on("dot", CUT, to=BOB, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})

        first = await project.send(no_wait=True)
        state = (await project.states())[BOB]
        project.a_day_passes()
        second = await project.send()

    assert (first.exit_code, second.exit_code) == (75, 0)
    assert state == "in_doubt"
    assert sum(arrival.recipients == (BOB,) for arrival in server.arrivals) == 2


async def test_a_limited_run_that_leaves_a_doubt_to_be_sent_again_is_exit_75(
    project: MailProject,
) -> None:
    async with scripted(on("dot", CUT, to=ADA, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})

        summary = await project.send(limit=1, no_wait=True)

    assert summary.exit_code == 75


async def test_a_soft_refusal_behind_a_doubt_is_tried_again_like_any_other(
    project: MailProject,
) -> None:
    rules = [on("dot", CUT, to=ADA, times=1), on("rcpt", "450 later", to=ADA, after=1, times=1)]
    project.people([ADA])
    async with scripted(*rules) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    assert summary.exit_code == 0
    assert len(server.arrivals) == 2


async def test_a_row_gone_from_the_list_is_not_resent_though_in_doubt(project: MailProject) -> None:
    async with scripted(on("dot", CUT, to=BOB, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        await project.send(no_wait=True)

        project.people([ADA, EVE])
        project.a_day_passes()
        await project.send()

    assert sum(arrival.recipients == (BOB,) for arrival in server.arrivals) == 1


async def test_the_instant_of_a_message_is_kept_by_its_second_copy(project: MailProject) -> None:
    project.people([ADA])
    project.write("templates/letter.txt.j2", "At {{ now.isoformat() }}.\n")
    async with scripted(on("dot", CUT, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1100ms"})

        began = time.monotonic()
        await project.send()

    first, second = server.arrivals
    assert time.monotonic() - began > 1
    assert first.content == second.content


@pytest.mark.parametrize(("on_doubt", "to_go"), [("hold", 0), ("resend", 1)])
async def test_who_is_held_for_a_person_is_not_announced_as_to_go(
    project: MailProject, on_doubt: str, to_go: int
) -> None:
    watch = Announcements()
    async with scripted(on("dot", CUT, to=BOB)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"}, on_doubt=on_doubt)
        await project.send(no_wait=True)

        await project.send(no_wait=True, watch=watch)

    assert watch.began == [to_go]


@pytest.mark.parametrize(("on_doubt", "code"), [("hold", 1), ("resend", 0)])
async def test_a_limited_run_leaves_who_is_sent_to_again_to_the_next_one(
    project: MailProject, on_doubt: str, code: int
) -> None:
    """What a crash left in doubt is no failure of the run after it, which took somebody else."""
    project.many(4)
    async with scripted(on("dot", CUT, times=1)) as server:
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "1h"}, on_doubt=on_doubt)
        await project.send(limit=1, no_wait=True)

        summary = await project.send(limit=1)

    assert summary.to_json()["in_doubt"] == 1
    assert summary.sent_in_run == 1
    assert summary.exit_code == code
