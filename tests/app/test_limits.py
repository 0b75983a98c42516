"""Rates and quotas, by the clock of whoever sends: in every window, over runs and campaigns."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.mail_project import PEOPLE, MailProject
from support.program import PATIENCE
from support.scripted_server import on, scripted
from support.watching import Announcements

from bulkmail import Campaign, SendOptions, send
from bulkmail.clock import rfc3339
from bulkmail.delivery.turns import Turns

ADA, BOB, EVE = PEOPLE


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Instants at which MAIL's bytes were handed to a connection, by the sender's clock.

    Each is read as the sender looks at its clock for the last time, so that a machine which holds
    this process up between its reading and ours does not show.
    """
    instants: list[float] = []
    check = Turns.check

    def timed(self: Turns) -> None:
        instant = time.time()
        check(self)
        instants.append(instant)

    monkeypatch.setattr(Turns, "check", timed)
    return instants


def most_within(instants: list[float], window: float) -> int:
    """The most in any window, closed at both ends, of that length."""
    ordered = sorted(instants)
    return max(sum(start <= t <= start + window for t in ordered) for start in ordered)


@pytest.mark.parametrize("connections", [1, 8])
async def test_a_pace_holds_in_every_window(
    project: MailProject, handed_over: list[float], connections: int
) -> None:
    async with scripted() as server:
        project.many(70)
        project.servers(server.url(connections=connections, rate="50/s"))

        summary = await project.send()

    assert summary.exit_code == 0
    assert len(handed_over) == 70
    assert most_within(handed_over, 1.0) <= 50


async def test_a_pace_counts_what_is_refused_as_well(
    project: MailProject, handed_over: list[float]
) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no")) as server:
        project.many(30)
        project.servers(server.url(rate="25/s"))

        await project.send()

    assert len(handed_over) == 30
    assert most_within(handed_over, 1.0) <= 25


async def test_a_pace_holds_over_runs(project: MailProject, handed_over: list[float]) -> None:
    async with scripted() as server:
        project.many(40)
        project.servers(server.url(rate="30/s"))

        for _ in range(4):
            await project.send(limit=10)

    assert len(handed_over) == 40
    assert most_within(handed_over, 1.0) <= 30


async def test_a_pace_holds_over_two_campaigns_at_once(
    project: MailProject, handed_over: list[float]
) -> None:
    async with scripted() as server:
        project.many(30)
        project.shared = {"servers": {"primary": server.url(rate="40/s")}}
        path = project.save(servers=["primary"])
        other = project.write("campaigns/other.yaml", path.read_bytes())

        await asyncio.gather(
            *(send(Campaign.load(file), SendOptions(), environ={}) for file in (path, other))
        )

    assert len(handed_over) == 60
    assert most_within(handed_over, 1.0) <= 40


async def test_the_smallest_of_several_rates_holds(
    project: MailProject, handed_over: list[float]
) -> None:
    async with scripted() as server:
        project.many(20)
        project.servers(server.url(rate=["1000/s", "1200/min", "19/h"]))

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 75
    assert len(handed_over) == 19
    assert most_within(handed_over, 1.0) <= 20


async def test_a_spent_quota_waits_and_says_until_when(project: MailProject) -> None:
    heard = Announcements()
    async with scripted() as server:
        project.servers(server.url(rate="2/h"))

        first = await project.send(no_wait=True)
        waiting = asyncio.create_task(project.send(watch=heard))
        async with asyncio.timeout(PATIENCE):
            await heard.waited.wait()
        waiting.cancel()
        await asyncio.wait([waiting])

    ((sentence, until), *_) = heard.waits
    assert (first.exit_code, first.counts.sent, first.counts.pending) == (75, 2, 1)
    assert "2/h" in sentence
    assert until is not None
    assert 3000 < until - time.time() < 3700
    assert "2/h" in first.sentence()
    assert rfc3339(until) == first.to_json()["waiting_until"]


async def test_a_quota_is_used_up_as_fast_as_it_goes(
    project: MailProject, handed_over: list[float]
) -> None:
    async with scripted() as server:
        project.many(30)
        project.servers(server.url(rate="30/h", connections=2))

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 0
    # Spread over its hour, one would follow another after two minutes.
    assert handed_over[-1] - handed_over[0] < 120


async def test_a_quota_holds_for_every_campaign_of_the_ledger_and_over_runs(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.shared = {"servers": {"primary": server.url(rate="4/day")}}
        project.save(servers=["primary"])
        first = await project.send(no_wait=True)
        project.save(name="second")
        second = await project.send(no_wait=True, as_new=True)
        third = await project.send(no_wait=True)

    assert [s.exit_code for s in (first, second, third)] == [0, 75, 75]
    assert len(server.accepted) == 4


async def test_a_greylisted_try_counts_against_the_quota(project: MailProject) -> None:
    async with scripted(on("rcpt", "450 later", to=ADA, times=1)) as server:
        project.servers(server.url(rate="3/h"))
        project.save(retry={"backoff": "20ms"})

        waiting = await project.send(no_wait=True)
        spent = await project.send(no_wait=True)

    assert (waiting.exit_code, spent.exit_code) == (75, 75)
    assert server.count("MAIL") == 3


async def test_a_pace_is_kept_and_not_left_by_no_wait(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url(rate="100/min"))

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 0
    assert len(server.accepted) == 3


async def test_the_next_server_is_used_when_a_quota_is_spent(project: MailProject) -> None:
    async with scripted() as first, scripted() as second:
        project.many(10)
        project.servers(first.url(rate="4/h"), second.url())

        summary = await project.send()

    assert summary.exit_code == 0
    assert (len(first.accepted), len(second.accepted)) == (4, 6)
