"""Who gets nothing: the campaign's files and the ledger's own list, over runs; cc and bcc too."""

from __future__ import annotations

import json

import pytest
from support.mail_project import PEOPLE, MailProject, table
from support.scripted_server import CUT, on, scripted

from bulkmail.app import records
from bulkmail.errors import ConfigurationError

ADA, BOB, EVE = PEOPLE
BOSS = "boss@example.com"


async def add(project: MailProject, *addresses: str) -> None:
    await records.suppress_add(project.root, addresses, project.ledger)


async def remove(project: MailProject, *addresses: str) -> None:
    await records.suppress_remove(project.root, addresses, project.ledger)


async def test_a_domain_in_two_writings_is_listed_once(project: MailProject) -> None:
    await add(project, "li@münchen.example", "wu@xn--mnchen-3ya.example", ADA)

    listed = [row[0] for row in await records.suppress_list(project.root, project.ledger)]
    assert listed == [ADA, "li@münchen.example", "wu@münchen.example"]

    await remove(project, *listed)
    assert await records.suppress_list(project.root, project.ledger) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gone.txt", f"# unsubscribed\n\n{BOB.upper()}  # since May\n"),
        ("gone.csv", f"since,Email\n2026,{BOB}\n"),
        ("gone.csv", f"{BOB}\n"),
    ],
    ids=["lines", "table", "lines in .csv"],
)
async def test_who_is_in_a_file_of_the_campaign_gets_nothing(
    project: MailProject, name: str, content: str
) -> None:
    project.write(f"campaigns/{name}", content)
    project.save(suppress=[name])
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send()

    row = (await project.report())[BOB]
    assert (summary.exit_code, summary.counts.suppressed) == (0, 1)
    assert server.got == {ADA: 1, EVE: 1}
    assert row["state"] == "suppressed"
    assert "suppress" in str(row["reason"])


async def test_who_left_a_suppression_file_is_pending_in_the_next_run(project: MailProject) -> None:
    project.write("campaigns/gone.txt", f"{BOB}\n{EVE}\n")
    project.save(suppress=["gone.txt"])
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        project.write("campaigns/gone.txt", f"{EVE}\n")
        summary = await project.send()

    assert (summary.exit_code, summary.sent_in_run, summary.counts.suppressed) == (0, 1, 1)
    assert server.got == {ADA: 1, BOB: 1}


async def test_the_ledgers_list_holds_for_every_campaign_until_somebody_is_removed(
    project: MailProject,
) -> None:
    await add(project, BOB.upper())
    async with scripted() as server:
        project.servers(server.url())
        first = await project.send()
        project.save(name="second")
        await project.send(as_new=True)
        assert BOB not in server.got

        await remove(project, BOB)
        third = await project.send()

    assert first.counts.suppressed == 1
    assert third.counts.suppressed == 0
    assert server.got[BOB] == 1


async def test_who_is_listed_while_deferred_gets_nothing_more(project: MailProject) -> None:
    async with scripted(on("rcpt", "450 busy", to=BOB, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        await project.send(no_wait=True)

        await add(project, BOB)
        project.a_day_passes()
        summary = await project.send()

    assert summary.exit_code == 0
    assert (await project.states())[BOB] == "suppressed"
    assert BOB not in server.got


async def test_who_was_sent_to_stays_sent_when_listed_later(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        await add(project, BOB)
        summary = await project.send()

    assert summary.counts.sent == 3


async def test_a_list_on_which_all_are_suppressed_is_done_with_exit_0(project: MailProject) -> None:
    await add(project, *PEOPLE)
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send()

    assert (summary.exit_code, summary.counts.suppressed) == (0, 3)
    assert not server.connections


async def test_a_missing_suppression_file_stops_the_run(project: MailProject) -> None:
    project.save(suppress=["gone.txt"])
    async with scripted() as server:
        project.servers(server.url())

        with pytest.raises(ConfigurationError, match=r"gone\.txt does not exist"):
            await project.send()

    assert not server.commands


async def test_a_campaigns_suppressed_copies_are_left_out_and_named(project: MailProject) -> None:
    project.write("campaigns/gone.txt", f"{BOSS}\n")
    project.people([ADA])
    project.save(
        cc=["Boss <BOSS@example.com>", "cc@example.com"],
        bcc=[BOSS, "bcc@example.com"],
        suppress=["gone.txt"],
    )
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send()

    (arrival,) = server.accepted
    refused = (await project.report())[ADA]["refused_recipients"]
    assert summary.exit_code == 0
    assert arrival.recipients == (ADA, "cc@example.com", "bcc@example.com")
    assert b"boss" not in arrival.content.lower()
    assert b"bcc@" not in arrival.content
    assert BOSS in json.dumps(refused).lower()


async def test_a_suppressed_copy_is_left_out_however_the_file_has_its_domain(
    project: MailProject,
) -> None:
    project.write("campaigns/gone.txt", "boss@mu\u0308nchen.example\n")
    project.people([ADA])
    project.save(cc=["boss@m\u00fcnchen.example"], suppress=["gone.txt"])
    async with scripted() as server:
        project.servers(server.url())

        await project.send()

    assert server.got == {ADA: 1}


async def test_copies_on_the_ledgers_list_are_left_out_and_named(project: MailProject) -> None:
    await add(project, BOSS)
    project.people([ADA])
    project.save(cc=[BOSS])
    async with scripted() as server:
        project.servers(server.url())

        await project.send()
        await remove(project, BOSS)
        project.people([ADA, EVE])
        await project.send()

    first, second = server.accepted
    rows = await project.report()
    assert first.recipients == (ADA,)
    assert not first.has_line(b"Cc:")
    assert BOSS in json.dumps(rows[ADA]["refused_recipients"])
    assert second.recipients == (EVE, BOSS)
    assert not rows[EVE]["refused_recipients"]


async def test_a_row_brings_its_own_copies(project: MailProject) -> None:
    project.people([ADA], cc="a@example.com", bcc="b@example.com; c@example.com")
    async with scripted() as server:
        project.servers(server.url())

        await project.send()

    (arrival,) = server.accepted
    assert arrival.recipients == (ADA, "a@example.com", "b@example.com", "c@example.com")
    assert arrival.has_line(b"Cc: a@example.com")
    assert b"b@example.com" not in arrival.content


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]], ids=["lockstep", "pipelining"])
async def test_nobody_gets_the_message_when_the_rows_own_address_is_refused(
    project: MailProject, extensions: list[str]
) -> None:
    project.save(cc=[BOSS], bcc=["archive@example.com"])
    refusal = on("rcpt", "550 5.1.1 no such user", to=BOB)
    async with scripted(refusal, extensions=extensions) as server:
        project.servers(server.url(connections=1))

        summary = await project.send()

    assert summary.exit_code == 1
    assert server.got == {ADA: 1, EVE: 1, BOSS: 2, "archive@example.com": 2}
    assert server.count("RSET") == 1
    assert server.connections == 1
    assert (await project.states())[BOB] == "failed"


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]], ids=["lockstep", "pipelining"])
async def test_a_refused_copy_is_named_in_the_row_that_is_sent(
    project: MailProject, extensions: list[str]
) -> None:
    project.save(cc=[BOSS], bcc=["archive@example.com"])
    refusal = on("rcpt", "550 5.1.1 nobody here", to=BOSS)
    async with scripted(refusal, extensions=extensions) as server:
        project.servers(server.url())

        summary = await project.send()

    row = (await project.report())[BOB]
    assert summary.exit_code == 0
    assert server.got == {**dict.fromkeys(PEOPLE, 1), "archive@example.com": 3}
    assert row["state"] == "sent"
    assert list(row["refused_recipients"]) == [BOSS]
    assert "nobody here" in row["refused_recipients"][BOSS]


async def test_a_greylisted_row_mails_no_copy_before_its_own_address_is_taken(
    project: MailProject,
) -> None:
    project.people([ADA])
    project.save(cc=[BOSS], retry={"backoff": "20ms"})
    async with scripted(on("rcpt", "450 4.2.0 later", to=ADA, times=2)) as server:
        project.servers(server.url())

        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == {ADA: 1, BOSS: 1}


async def test_a_copy_that_is_the_row_itself_is_mailed_once(project: MailProject) -> None:
    project.people([ADA])
    project.save(cc=[ADA], bcc=[ADA])
    async with scripted() as server:
        project.servers(server.url())

        await project.send()

    assert [arrival.recipients for arrival in server.accepted] == [(ADA,)]


async def test_the_envelopes_sender_is_what_the_campaign_says(project: MailProject) -> None:
    project.people([ADA])
    async with scripted(on("quit", CUT)) as server:
        project.servers(server.url())
        for name, path in enumerate([None, "bounces@example.com", ""]):
            project.save(name=f"n{name}", return_path=path)
            await project.send(as_new=True)

    assert [a.sender for a in server.accepted] == ["people@example.com", "bounces@example.com", ""]


async def test_a_row_whose_bad_copy_makes_it_bad_never_reaches_the_wire(
    project: MailProject,
) -> None:
    project.write("campaigns/list.csv", table([ADA, BOB], cc="not an address"))
    async with scripted() as server:
        project.servers(server.url())

        with pytest.raises(ConfigurationError) as refusal:
            await project.send()

    assert [fault.row for fault in refusal.value.faults] == [1, 2]
    assert not server.commands
