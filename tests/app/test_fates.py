"""Every recipient's fate, by what the server said: the contract's states and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import CUT, HANG, Drip, Rule, greylist, on, scripted, then_cut
from support.watching import Announcements

ADA, BOB, EVE = PEOPLE
QUICK = {"backoff": "50ms"}


async def test_everybody_is_sent_to_once_and_a_second_run_has_nothing_to_do(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())

        first = await project.send()
        second = await project.send()

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert set((await project.states()).values()) == {"sent"}


async def test_every_row_has_a_reason_also_one_that_waits(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

    rows = sorted((row["state"], row["reason"]) for row in (await project.report()).values())
    assert rows == [("pending", "waits to be sent")] * 2 + [("sent", "accepted")]


async def test_a_recipient_refused_for_good_fails_and_the_rest_is_sent(
    project: MailProject,
) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no such user", to=BOB)) as server:
        project.servers(server.url())

        summary = await project.send()

    row = (await project.report())[BOB]
    assert summary.exit_code == 1
    assert server.got == {ADA: 1, EVE: 1}
    assert (row["state"], row["stage"], row["code"]) == ("failed", "rcpt", 550)
    assert (row["enhanced_code"], row["attempts"]) == ("5.1.1", 1)
    assert "no such user" in str(row["reply"])


async def test_a_soft_refusal_is_tried_again_until_it_is_taken(project: MailProject) -> None:
    async with scripted(greylist(2)) as server:
        project.servers(server.url())
        project.save(retry=QUICK)

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert {row["attempts"] for row in (await project.report()).values()} == {3}


async def test_no_wait_leaves_with_75_while_somebody_is_deferred(project: MailProject) -> None:
    rules = [greylist(1), on("rcpt", "550 5.1.1 no", to=BOB)]
    async with scripted(*reversed(rules)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 75, "75 goes before 1"
    assert await project.states() == {ADA: "deferred", BOB: "failed", EVE: "deferred"}
    assert summary.waiting_until is not None


STAGES = [
    ("rcpt", "450 4.2.1 busy", "rcpt"),
    ("data", "451 4.3.0 not now", "data"),
    ("dot", "452 4.3.1 no room", "end of data"),
]


@pytest.mark.parametrize(("stage", "reply", "named"), STAGES)
async def test_the_report_says_at_which_stage_a_row_was_deferred(
    project: MailProject, stage: str, reply: str, named: str
) -> None:
    async with scripted(on(stage, reply, to="" if stage == "data" else ADA)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})

        summary = await project.send(no_wait=True)

    row = (await project.report())[ADA]
    assert summary.exit_code == 75
    assert (row["state"], row["stage"], row["code"]) == ("deferred", named, int(reply[:3]))


@pytest.mark.parametrize("stage", ["rcpt", "data", "dot"])
async def test_a_message_refused_for_good_fails_at_its_stage(
    project: MailProject, stage: str
) -> None:
    async with scripted(on(stage, "554 5.6.0 not like this")) as server:
        project.servers(server.url())

        summary = await project.send()

    assert summary.exit_code == 1
    assert set((await project.states()).values()) == {"failed"}
    assert not server.accepted


UNWILLING = [
    on("connect", "554 5.3.2 go away"),
    on("connect", "421 4.3.2 not now"),
    on("connect", CUT),
    on("ehlo", "550 5.5.0 no"),
    on("ehlo", CUT),
    on("mail", "550 5.7.1 sender rejected"),
    on("mail", "530 5.7.0 authentication required"),
    on("mail", CUT),
]


@pytest.mark.parametrize(
    "rule", UNWILLING, ids=["554", "421", "cut", "ehlo", "ehlo cut", "550", "530", "mail cut"]
)
async def test_a_server_that_does_nothing_for_anybody_ends_the_run_and_all_stay_pending(
    project: MailProject, rule: Rule
) -> None:
    async with scripted(rule) as server:
        project.servers(server.url(connections=2))

        summary = await project.send()

    assert summary.exit_code == 3
    assert set((await project.states()).values()) == {"pending"}
    assert summary.stopped
    assert not server.arrivals


async def test_mail_refused_softly_for_everybody_defers_nobody_for_good(
    project: MailProject,
) -> None:
    async with scripted(on("mail", "451 4.7.1 try later", times=2)) as server:
        project.servers(server.url(connections=1))
        project.save(retry=QUICK)

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


BROKEN_BEFORE_THE_DOT = [
    on("mail", CUT, times=1),
    on("rcpt", CUT, times=1),
    on("data", CUT, times=1),
    on("mail", HANG, times=1),
    on("rcpt", HANG, times=1),
    on("data", HANG, times=1),
    on("rcpt", Drip("250 ok"), times=1),
    on("rcpt", then_cut("421 4.4.2 too long"), times=1),
    on("mail", then_cut("421 4.7.0 too many"), times=1),
]


@pytest.mark.parametrize(
    "rule",
    BROKEN_BEFORE_THE_DOT,
    ids=[
        *("mail cut", "rcpt cut", "data cut", "mail hang", "rcpt hang", "data hang"),
        *("rcpt drip", "rcpt 421", "mail 421"),
    ],
)
async def test_what_broke_before_the_dot_is_sent_again_and_nobody_gets_two(
    project: MailProject, rule: Rule
) -> None:
    async with scripted(rule) as server:
        project.servers(server.url(connections=1, timeout="300ms"))
        project.save(retry=QUICK)

        summary = await project.send()

    assert summary.exit_code == 0, summary
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_421_behind_the_dot_is_no_doubt(project: MailProject) -> None:
    async with scripted(on("dot", then_cut("421 4.3.0 shutting down"), times=1)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry=QUICK, on_doubt="hold")

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == {ADA: 1}


async def test_one_session_carries_on_after_a_refused_message(project: MailProject) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no", to=ADA)) as server:
        project.servers(server.url(connections=1))

        await project.send()

    assert server.connections == 1
    assert server.got == {BOB: 1, EVE: 1}


async def test_a_connection_is_made_anew_after_so_many_messages(project: MailProject) -> None:
    async with scripted() as server:
        project.many(7)
        project.servers(server.url(connections=1, messages_per_connection=3))

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.connections == 3
    assert server.count("QUIT") == 3
    assert server.peak == 1


async def test_no_more_connections_than_said_are_open_at_once(project: MailProject) -> None:
    async with scripted() as server:
        project.many(60)
        project.servers(server.url(connections=3, messages_per_connection=5))

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.peak <= 3
    assert len(server.accepted) == 60


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["8BITMIME"], ["SIZE 1000000"]])
async def test_any_server_is_good_enough(project: MailProject, extensions: list[str]) -> None:
    async with scripted(extensions=extensions) as server:
        project.servers(server.url())

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_message_too_large_for_the_server_fails_and_is_not_sent(
    project: MailProject,
) -> None:
    async with scripted(extensions=["SIZE 200"]) as server:
        project.servers(server.url())

        summary = await project.send()

    assert summary.exit_code == 1
    assert not server.arrivals
    assert all("200" in str(row["reason"]) for row in (await project.report()).values())


async def test_a_limited_run_waits_for_those_of_it_who_are_deferred(project: MailProject) -> None:
    async with scripted(greylist(2)) as server:
        project.servers(server.url())
        project.save(retry=QUICK)

        summary = await project.send(limit=2)

    assert (summary.exit_code, summary.counts.sent, summary.counts.pending) == (0, 2, 1)
    assert server.count("RCPT") == 6
    assert len(server.got) == 2


async def test_a_limited_run_with_no_wait_leaves_those_who_are_deferred(
    project: MailProject,
) -> None:
    async with scripted(on("rcpt", "450 4.2.0 later", times=1)) as server:
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "1h"})

        summary = await project.send(limit=2, no_wait=True)

    assert summary.exit_code == 75
    assert (summary.counts.sent, summary.counts.deferred, summary.counts.pending) == (1, 1, 1)


async def test_a_limit_leaves_the_rest_pending_with_exit_0(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())

        first = await project.send(limit=2)
        states = await project.states()
        second = await project.send(limit=2)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert sorted(states.values()) == ["pending", "sent", "sent"]
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_transcript_that_cannot_be_written_is_told_and_stops_nobody(
    project: MailProject,
) -> None:
    watch = Announcements()
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send(watch=watch, transcript=Path("/dev/full"))

    assert summary.exit_code == 0
    assert "the transcript /dev/full is not complete: No space left on device" in watch.lines
