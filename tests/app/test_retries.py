"""When a deferred recipient is tried again, and when it is given up."""

from __future__ import annotations

from itertools import pairwise

from support.mail_project import PEOPLE, MailProject
from support.scripted_server import greylist, on, scripted

ADA = PEOPLE[0]


async def waits(project: MailProject, tries: int, **retry: object) -> list[float]:
    """Seconds between the tries for one greylisted recipient."""
    project.people([ADA])
    async with scripted(greylist(tries)) as server:
        project.servers(server.url())
        project.save(retry=retry)
        summary = await project.send()
    assert summary.exit_code == 0
    return [later - earlier for earlier, later in pairwise(server.mails_at)]


async def test_the_back_off_doubles_up_to_its_largest(project: MailProject) -> None:
    first, second, third, fourth = await waits(project, 4, backoff="100ms", max_backoff="300ms")

    assert first >= 0.1
    assert second >= 0.2
    assert third >= 0.3
    assert 0.3 <= fourth < 0.75, "0.8 without its bound"


async def test_a_list_of_back_offs_is_taken_one_by_one_and_its_last_stays(
    project: MailProject,
) -> None:
    first, second, third = await waits(project, 3, backoff=["50ms", "300ms"])

    assert 0.05 <= first < 0.3
    assert second >= 0.3
    assert third >= 0.3


async def test_so_many_attempts_in_all(project: MailProject) -> None:
    async with scripted(greylist(99)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "20ms", "attempts": 3})

        summary = await project.send()

    row = (await project.report())[ADA]
    assert summary.exit_code == 1
    assert (row["state"], row["attempts"], row["code"]) == ("failed", 3, 450)
    assert server.count("RCPT") == 3
    assert "greylisted" in str(row["reply"])


async def test_a_mail_that_was_refused_is_no_attempt(project: MailProject) -> None:
    async with scripted(on("mail", "451 4.7.1 slow down", times=2)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "20ms", "attempts": 1})

        summary = await project.send()

    assert summary.exit_code == 0
    assert (await project.report())[ADA]["attempts"] == 1


async def test_attempts_are_counted_over_runs(project: MailProject) -> None:
    async with scripted(greylist(99)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "1ms", "attempts": 3})

        while (summary := await project.send(no_wait=True)).exit_code == 75:
            assert server.count("RCPT") < 3

    assert summary.exit_code == 1
    assert server.count("RCPT") == 3


async def test_it_is_given_up_so_long_after_the_first_attempt(project: MailProject) -> None:
    async with scripted(greylist(99)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "100ms", "give_up_after": "500ms"})

        summary = await project.send()

    row = (await project.report())[ADA]
    assert summary.exit_code == 1
    assert row["state"] == "failed"
    assert "given up" in str(row["reason"])
    assert 2 <= server.count("RCPT") <= 4
    assert server.mails_at[-1] - server.mails_at[0] < 0.6


async def test_what_waits_already_is_given_up_when_its_time_has_passed(
    project: MailProject,
) -> None:
    async with scripted(greylist(1)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "1h", "give_up_after": "2d"})
        await project.send(no_wait=True)
        project.a_day_passes()

        project.save(retry={"backoff": "1h", "give_up_after": "1ms"})
        summary = await project.send()

    assert summary.exit_code == 1
    assert not server.accepted
    assert (await project.states())[ADA] == "failed"


async def test_who_is_deferred_does_not_hold_up_the_others(project: MailProject) -> None:
    async with scripted(greylist(1)) as server:
        project.many(30)
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "500ms"})

        summary = await project.send()

    first_tries, second_tries = server.mails_at[:30], server.mails_at[30:]
    assert summary.exit_code == 0
    assert max(first_tries) < min(second_tries)


async def test_who_waits_is_given_up_by_the_patience_of_the_next_run(project: MailProject) -> None:
    """It was lowered since: an hour's wait for nothing but to be given up."""
    async with scripted(greylist(99)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "1h", "give_up_after": "2h"})
        first = await project.send(no_wait=True)
        project.save(retry={"backoff": "1h", "give_up_after": "1ms"})

        summary = await project.send(no_wait=True)

    row = (await project.report())[ADA]
    assert (first.exit_code, summary.exit_code) == (75, 1)
    assert (row["state"], row["reason"]) == ("failed", "given up while it waited")
    assert server.count("RCPT") == 1
