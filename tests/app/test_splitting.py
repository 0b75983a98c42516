"""Too many recipients for one transaction: cc and bcc that are left go in later ones."""

from __future__ import annotations

from collections import Counter

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import CUT, Answer, Rule, Turn, on, scripted

ADA, *_ = PEOPLE
COPIES = [f"c{n}@x.example" for n in range(5)]


def at_most(count: int, reply: str) -> Rule:
    """So many recipients a transaction; more are refused with `reply`."""
    taken: dict[int, int] = {}

    def rule(turn: Turn) -> Answer | None:
        if turn.stage == "mail":
            taken[turn.connection] = 0
        if turn.stage != "rcpt":
            return None
        taken[turn.connection] += 1
        return reply if taken[turn.connection] > count else None

    return rule


@pytest.mark.parametrize(
    "reply",
    [
        "452 4.5.3 Error: too many recipients",
        "552 5.5.3 Maximum limit of 3 recipients reached",
        "452 4.5.3 please try this recipient in a separate transaction",
    ],
)
async def test_the_rest_goes_in_further_transactions(project: MailProject, reply: str) -> None:
    async with scripted(at_most(3, reply)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES[:2], bcc=COPIES[2:])

        summary = await project.send()
        row = (await project.report())[ADA]

    assert summary.exit_code == 0
    assert [arrival.recipients for arrival in server.accepted] == [
        (ADA, *COPIES[:2]),
        tuple(COPIES[2:]),
    ]
    assert len({arrival.content for arrival in server.accepted}) == 1
    assert (row["state"], row["reason"]) == ("sent", "accepted, in 2 transactions")
    assert row["refused_recipients"] == {}


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["PIPELINING", "CHUNKING"]], ids=str)
@pytest.mark.parametrize("most", [1, 3])
async def test_a_message_refused_for_all_as_it_was_for_too_many_goes_to_fewer_at_once(
    project: MailProject, extensions: list[str], most: int
) -> None:
    """As Exim does with `recipients_max_reject`."""
    wide: set[int] = set()
    enough = at_most(most, "552 too many recipients")

    def for_all(turn: Turn) -> Answer | None:
        answer = enough(turn)
        if answer is not None:
            wide.add(turn.connection)
        if turn.stage == "data" and turn.connection in wide:
            wide.remove(turn.connection)
            return "554 Too many recipients"
        return answer

    readers = project.many(10)
    project.save(cc=COPIES)
    async with scripted(for_all) as server:
        server.extensions = extensions
        project.servers(server.url(connections=2))

        summary = await project.send()

    assert (summary.exit_code, summary.sent) == (0, 10)
    got = Counter(path for arrival in server.accepted for path in arrival.recipients)
    assert got == dict.fromkeys(readers, 1) | dict.fromkeys(COPIES, 10)
    report = (await project.report()).values()
    assert not any(row["refused_recipients"] for row in report)


async def test_each_transaction_counts_against_the_limits(project: MailProject) -> None:
    async with scripted(at_most(2, "452 4.5.3 too many recipients")) as server:
        project.people([ADA])
        project.servers(server.url(rate="2/h"))
        project.save(cc=COPIES)

        summary = await project.send(no_wait=True)
        row = (await project.report())[ADA]

    assert server.count("MAIL") == 2
    assert summary.counts.sent == 1
    assert set(row["refused_recipients"]) == set(COPIES[3:])


async def test_a_copy_that_is_refused_for_itself_is_not_asked_again(project: MailProject) -> None:
    async with scripted(
        on("rcpt", "550 5.1.1 no such user", to=COPIES[0]),
        on("rcpt", "550 5.1.1 no such user", to=COPIES[4]),
        at_most(3, "452 4.5.3 too many recipients"),
    ) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES)

        await project.send()
        row = (await project.report())[ADA]

    received = [path for arrival in server.accepted for path in arrival.recipients]
    assert sorted(received) == sorted([ADA, *COPIES[1:4]])
    assert set(row["refused_recipients"]) == {COPIES[0], COPIES[4]}
    assert row["reason"] == "accepted, in 2 transactions, but not for 2 of cc and bcc"


async def test_a_server_that_takes_one_and_never_more_is_not_asked_for_ever(
    project: MailProject,
) -> None:
    def stubborn(turn: Turn) -> Answer | None:
        is_copy = turn.stage == "rcpt" and turn.address != ADA
        return "452 4.5.3 too many recipients" if is_copy else None

    async with scripted(stubborn) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES)

        summary = await project.send()
        row = (await project.report())[ADA]

    assert summary.exit_code == 0
    assert server.count("MAIL") == 2
    assert (row["state"], set(row["refused_recipients"])) == ("sent", set(COPIES))


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["PIPELINING", "CHUNKING"]], ids=str)
@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("mail", "421 4.4.5 too many transactions"),
        ("mail", "452 4.5.3 too many messages in this session"),
        ("mail", CUT),
        ("data", "421 4.3.2 going down"),
    ],
)
async def test_a_session_that_is_over_behind_the_first_transaction_is_made_up_for_by_another(
    project: MailProject, extensions: list[str], stage: str, reply: Answer
) -> None:
    async with scripted(
        on(stage, reply, times=1, after=1),
        at_most(3, "452 4.5.3 too many recipients"),
    ) as server:
        server.extensions = extensions
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES)

        summary = await project.send()
        row = (await project.report())[ADA]

    assert summary.exit_code == 0
    assert [arrival.recipients for arrival in server.accepted] == [
        (ADA, *COPIES[:2]),
        tuple(COPIES[2:]),
    ]
    assert (row["state"], row["refused_recipients"]) == ("sent", {})


async def test_connections_lost_behind_the_first_transaction_leave_the_row_sent(
    project: MailProject,
) -> None:
    async with scripted(
        on("data", "421 4.3.2 going down", after=1),
        at_most(3, "452 4.5.3 too many recipients"),
    ) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES)

        summary = await project.send()
        again = await project.send()
        row = (await project.report())[ADA]

    assert (summary.exit_code, again.exit_code) == (0, 0)
    assert [arrival.recipients for arrival in server.accepted] == [(ADA, *COPIES[:2])]
    assert row["state"] == "sent"
    assert set(row["refused_recipients"]) == set(COPIES[2:])


async def test_who_may_have_it_from_a_later_transaction_is_not_reported_as_refused(
    project: MailProject,
) -> None:
    async with scripted(
        on("dot", CUT, times=1, after=1),
        at_most(3, "452 4.5.3 too many recipients"),
    ) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(cc=COPIES)

        summary = await project.send()
        row = (await project.report())[ADA]

    assert summary.exit_code == 0
    assert (row["state"], set(row["refused_recipients"])) == ("sent", set(COPIES[2:]))
    assert all(word.startswith("in doubt: ") for word in row["refused_recipients"].values())
    assert row["reason"] == "accepted, but it is not known for 3 of cc and bcc"
