"""Limits by recipient domain from the campaign's file to the wire."""

from __future__ import annotations

from support.mail_project import MailProject
from support.scripted_server import scripted


def most_within(instants: list[float], window: float) -> int:
    ordered = sorted(instants)
    return max(sum(start <= t <= start + window for t in ordered) for start in ordered)


async def test_a_providers_quota_holds_over_campaigns_and_runs(project: MailProject) -> None:
    gmail = ["a@gmail.com", "b@googlemail.com", "c@gmail.com"]
    async with scripted() as server:
        project.people([*gmail, "d@example.com", "e@example.com"])
        project.shared = {"limits": {"gmail": "2/h"}}
        project.servers(server.url())

        first = await project.send(no_wait=True)
        again = await project.send(no_wait=True)
        project.save(name="other")
        other = await project.send(no_wait=True, as_new=True)

    assert [s.exit_code for s in (first, again, other)] == [75, 75, 75]
    assert (first.counts.sent, first.counts.pending) == (4, 1)
    assert "gmail: the quota 2/h of these domains is spent" in first.sentence()
    assert again.counts.sent == 4
    assert other.counts.sent == 2
    received = [path for arrival in server.accepted for path in arrival.recipients]
    assert sum(path in gmail for path in received) == 2


async def test_a_campaigns_limit_comes_before_the_projects(project: MailProject) -> None:
    async with scripted() as server:
        project.people(["a@gmail.com", "b@gmail.com", "c@gmail.com"])
        project.shared = {"limits": {"gmail": "1/h"}}
        project.servers(server.url())

        summary = await project.send(no_wait=True)
        project.save(limits={"gmail": "3/h"})
        raised = await project.send(no_wait=True)

    assert summary.counts.sent == 1
    assert raised.counts.sent == 3


async def test_a_slow_domain_holds_up_nobody_else(project: MailProject) -> None:
    slow = [f"s{n}@slow.example" for n in range(12)]
    quick = [f"q{n}@quick.example" for n in range(60)]
    async with scripted() as server:
        project.people([*slow, *quick])
        project.servers(server.url(connections=2))
        project.save(limits={"slow.example": {"rate": "10/s", "connections": 1}})

        summary = await project.send()

    assert summary.exit_code == 0
    at = {path: arrival.at for arrival in server.accepted for path in arrival.recipients}
    assert most_within([at[path] for path in slow], 0.95) <= 10
    assert max(at[path] for path in quick) < max(at[path] for path in slow)


async def test_a_cc_counts_and_waits(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(cc=["boss@slow.example"], limits={"slow.example": "2/h"})

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 75
    assert (summary.counts.sent, summary.counts.pending) == (2, 1)
