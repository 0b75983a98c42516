"""Servers that say it is too much get less: a lower pace, kept in the ledger, for a while."""

from __future__ import annotations

import pytest
from support.mail_project import MailProject
from support.scripted_server import on, scripted

from bulkmail.app import records
from bulkmail.delivery import health
from bulkmail.delivery.meter import Meter

TOO_MUCH = "450 4.7.1 Error: too much mail from 192.0.2.1"


async def slowdowns(project: MailProject) -> dict[str, tuple[float, float, str]]:
    rows = project.sql("SELECT scope, pace, full, reason FROM slowdown")
    return {scope: (pace, full, reason) for scope, pace, full, reason in rows}


@pytest.fixture
def in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes is measured as if it had gone within a second, on a slow machine, too."""
    pace = Meter.pace
    monkeypatch.setattr(
        Meter, "pace", lambda meter, now: pace(meter, min(now, meter._began_at + 1.0))
    )


@pytest.mark.usefixtures("in_a_second")
@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("mail", TOO_MUCH),
        ("rcpt", "450 4.7.1 Error: too many recipients from 192.0.2.1"),
        ("dot", "454 Throttling failure: Maximum sending rate exceeded."),
        ("dot", "421 4.7.28 unusual rate of mail"),
    ],
)
async def test_a_server_that_says_too_much_gets_half(
    project: MailProject, stage: str, reply: str
) -> None:
    async with scripted(on(stage, reply, times=1, after=20)) as server:
        project.many(30)
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    ((pace, full, reason),) = (await slowdowns(project)).values()
    assert summary.exit_code == 0
    assert 20 <= full <= 21
    assert pace == full / 2
    assert reply.rsplit(maxsplit=1)[-1] in reason
    assert server.mails_at[-1] - server.mails_at[20] > 0.7, "ten more, at ten a second"


@pytest.mark.usefixtures("in_a_second")
@pytest.mark.parametrize(
    ("stage", "reply"), [("mail", TOO_MUCH), ("connect", "421 4.7.0 rate limited, try again later")]
)
async def test_a_run_that_is_too_much_from_its_first_message_is_not_slowed_to_a_crawl(
    project: MailProject, monkeypatch: pytest.MonkeyPatch, stage: str, reply: str
) -> None:
    monkeypatch.setattr(health, "FIRST_REST", 0.05)
    async with scripted(on(stage, reply, times=1)) as server:
        project.many(3)
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    assert summary.exit_code == 0
    assert [(pace, full) for pace, full, _ in (await slowdowns(project)).values()] == [(10, 20)]


async def test_the_next_run_goes_on_slowly(project: MailProject) -> None:
    async with scripted(on("mail", TOO_MUCH, times=1, after=9)) as server:
        project.many(20)
        project.servers(server.url(connections=1))
        project.save(retry={"backoff": "20ms"})

        await project.send(limit=10)
        (standing,) = await records.status(project.root, ledger=project.ledger)
        before = len(server.mails_at)
        await project.send()

    later = server.mails_at[before:]
    (slowed,) = standing.slowed
    assert slowed.scope == f"127.0.0.1:{server.port}"
    assert 0 < slowed.pace < slowed.full
    assert "too much mail" in slowed.reason
    assert len(later) == 10
    assert later[-1] - later[0] > 0.7, "ten at ten a second"


async def test_a_limit_that_is_written_holds_beside_it(project: MailProject) -> None:
    async with scripted(on("mail", TOO_MUCH, times=1)) as server:
        project.servers(server.url(rate="1/h"))

        summary = await project.send(no_wait=True)

    assert summary.exit_code == 75
    assert server.count("MAIL") == 1
    assert list(await slowdowns(project)) == [f"127.0.0.1:{server.port}"]


async def test_other_refusals_slow_nobody_down(project: MailProject) -> None:
    async with scripted(
        on("rcpt", "450 4.2.0 greylisted", times=1),
        on("dot", "554 5.7.1 spam", times=1),
        on("mail", "421 4.4.2 timeout", times=1, after=1),
    ) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "20ms"})

        await project.send()

    assert await slowdowns(project) == {}


async def test_a_domain_that_says_too_much_gets_half_by_whatever_server(
    project: MailProject,
) -> None:
    reply = "451 4.4.5 rate limit of the destination domain reached"
    async with scripted(on("rcpt", reply, to="q9@gmail.com", times=1)) as server:
        gmail = [f"q{n}@gmail.com" for n in range(60)]
        project.people([*gmail, *(f"q{n}@example.com" for n in range(20))])
        project.servers(server.url(connections=1, rate="100/s"))
        project.save(retry={"backoff": "20ms"})

        summary = await project.send()

    found = await slowdowns(project)
    at = {path: arrival.at for arrival in server.accepted for path in arrival.recipients}
    assert summary.exit_code == 0
    assert list(found) == ["domain:gmail"]
    # Half of the pace for the fifty who are left, and the other half for twenty.
    assert max(at[path] for path in gmail) > max(at[f"q{n}@example.com"] for n in range(20))


@pytest.mark.parametrize(
    ("busy", "connections", "slowed"),
    [
        pytest.param("421 4.7.0 rate limited, try again later", 4, 1, id="too much"),
        # What it blames is how many connections there are.
        pytest.param(
            "421 4.3.2 too many connections, try again later", 1, 0, id="too many connections"
        ),
    ],
)
async def test_a_busy_greeting_is_left_alone_and_slows_whose_pace_it_blames(
    project: MailProject,
    monkeypatch: pytest.MonkeyPatch,
    busy: str,
    connections: int,
    slowed: int,
) -> None:
    monkeypatch.setattr(health, "FIRST_RESPITE", 0.05)
    monkeypatch.setattr(health, "FIRST_REST", 0.05)
    async with scripted(on("connect", busy, times=2, after=1)) as server:
        project.many(6)
        project.servers(server.url(connections=connections, messages_per_connection=3))

        summary = await project.send()

    assert summary.exit_code == 0
    assert len(await slowdowns(project)) == slowed


async def test_stop_after_leaves_the_server_with_a_sentence(project: MailProject) -> None:
    async with scripted(on("dot", "554 5.7.1 spam")) as server:
        project.many(20)
        project.servers(server.url(connections=1))
        project.save(stop_after=3)

        summary = await project.send()

    assert summary.exit_code == 3
    assert (summary.counts.failed, summary.counts.pending) == (3, 17)
    assert "3 messages in a row were refused (`stop_after`)" in summary.stopped


async def test_messages_that_are_too_large_for_a_server_count_as_refused(
    project: MailProject,
) -> None:
    async with scripted(extensions=("SIZE 10",)) as server:
        project.many(20)
        project.servers(server.url(connections=1))
        project.save(stop_after=3)

        summary = await project.send()

    assert summary.exit_code == 3
    assert (summary.counts.failed, summary.counts.pending) == (3, 17)
    assert "the server takes 10 at most" in summary.stopped
    assert server.count("MAIL") == 0
