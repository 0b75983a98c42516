"""What a list, a campaign or a project that changed between runs means for who gets what."""

from __future__ import annotations

import shutil

import pytest
from support.mail_project import PEOPLE, MailProject, table
from support.scripted_server import ScriptedServer, on, scripted
from support.watching import Announcements

from bulkmail import Campaign, SendOptions, send
from bulkmail.app.check.checking import check
from bulkmail.errors import ConfigurationError
from bulkmail.ledger.enrolment import Enrolment

ADA, BOB, EVE = PEOPLE
GONE = "gone from the list"


async def test_new_rows_are_added_and_sent_rows_are_left_alone(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        project.people(["first@example.com", *PEOPLE, "last@example.com"])
        summary = await project.send()

    assert (summary.exit_code, summary.counts.total, summary.sent_in_run) == (0, 5, 2)
    assert set(server.got.values()) == {1}
    assert [row["row"] for row in (await project.report()).values()] == [1, 2, 3, 4, 5]


async def test_rows_not_yet_sent_take_their_new_fields(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

        project.write("campaigns/list.csv", table(PEOPLE).replace("Bob", "Robert"))
        await project.send()

    (bob,) = (a for a in server.accepted if a.recipients == (BOB,))
    assert bob.has_line(b"Subject: For Robert")


async def test_a_row_gone_from_the_list_is_suppressed_and_pending_when_it_is_back(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

        project.people([ADA, EVE])
        without = await project.send()
        gone = (await project.report())[BOB]
        project.people(PEOPLE)
        again = await project.send()

    assert (without.exit_code, without.counts.suppressed) == (0, 1)
    assert (gone["state"], gone["reason"]) == ("suppressed", GONE)
    assert (again.exit_code, again.counts.suppressed) == (0, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_sent_row_that_left_the_list_and_came_back_is_not_sent_again(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        project.people([ADA])
        await project.send()
        project.people(PEOPLE)
        await project.send()

    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert set((await project.states()).values()) == {"sent"}


async def test_a_deferred_row_that_left_the_list_is_not_tried_again(project: MailProject) -> None:
    async with scripted(on("rcpt", "450 busy", to=BOB, times=1)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        await project.send(no_wait=True)

        project.people([ADA, EVE])
        project.a_day_passes()
        summary = await project.send()

    assert summary.exit_code == 0
    assert (await project.states())[BOB] == "suppressed"
    assert BOB not in server.got


async def test_the_case_of_an_address_makes_no_other_recipient(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(["Ada@Example.com", "ADA@example.com", BOB])
        first = await project.send()

        project.people(["ada@example.com", "BOB@example.com"])
        await project.send()

    assert first.counts.duplicates == 1
    assert first.counts.total == 2
    assert server.got == {"Ada@Example.com": 1, BOB: 1}, "on the wire as written"


async def test_a_duplicate_key_is_sent_the_first_row_alone(project: MailProject) -> None:
    project.write(
        "campaigns/list.csv",
        "email,name,id\na@example.com,A,1\nb@example.com,B,1\na@example.com,C,2\n",
    )
    async with scripted() as server:
        project.servers(server.url())
        summary = await project.send()

        project.save(recipients={"path": "list.csv", "key": "id"}, name="keyed")
        keyed = await project.send(as_new=True)

    assert (summary.counts.total, summary.counts.duplicates) == (2, 1)
    assert (keyed.counts.total, keyed.counts.duplicates) == (2, 1)
    names = [
        name for a in server.accepted for name in "ABC" if a.has_line(f"Hello {name}".encode())
    ]
    assert names == ["A", "B", "A", "C"]


async def test_a_changed_key_column_is_refused_with_the_way_out(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(PEOPLE, id="7")
        await project.send(limit=1)

        project.save(recipients={"path": "list.csv", "key": "id"})
        with pytest.raises(ConfigurationError, match="--as-new"):
            await project.send()

        assert len(server.arrivals) == 1


async def test_a_renamed_campaign_is_refused_with_the_way_out(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        project.save(name="another")
        with pytest.raises(ConfigurationError, match=r"bulkmail rename letter another.*--as-new"):
            await project.send()
        assert len(server.arrivals) == 3

        summary = await project.send(as_new=True)

    assert summary.exit_code == 0
    assert set(server.got.values()) == {2}


async def test_a_campaign_whose_file_was_moved_is_refused_with_the_way_out(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        moved = project.path.rename(project.path.with_name("december.yaml"))
        with pytest.raises(ConfigurationError, match=r"bulkmail rename letter december.*--as-new"):
            await send(Campaign.load(moved))
        assert set(server.got.values()) == {1}

        text = moved.read_text("utf-8")
        moved.write_text(text.replace("For {{ name }}", "News for {{ name }}"), "utf-8")
        other = await send(Campaign.load(moved))

    assert other.exit_code == 0, "another letter to the same people is another campaign"
    assert set(server.got.values()) == {2}


async def nothing_more(enrolment: Enrolment) -> None:
    """As where the process is killed."""


async def test_a_moved_file_is_known_behind_a_run_that_was_killed(
    project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        sent = (project.root / "campaigns" / "list.csv").read_text("utf-8")
        moved = project.path.rename(project.path.with_name("december.yaml"))
        project.people(["not an address"])
        with monkeypatch.context() as killed:
            killed.setattr(Enrolment, "abandon", nothing_more)
            with pytest.raises(ConfigurationError, match="not an address"):
                await send(Campaign.load(moved))

        project.write("campaigns/list.csv", sent)
        with pytest.raises(ConfigurationError, match=r"bulkmail rename letter december.*--as-new"):
            await send(Campaign.load(moved))

    assert set(server.got.values()) == {1}


async def test_a_new_name_and_a_new_key_are_refused_in_one_go_by_the_check_too(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(PEOPLE, id="7")
        await project.send()

        project.save(recipients={"path": "list.csv", "key": "id"}, name="another")
        with pytest.raises(ConfigurationError) as caught:
            await project.send()
        checked = await check(Campaign.load(project.path))
        as_new = await check(Campaign.load(project.path), as_new=True)

    assert [fault.key for fault in caught.value.faults] == ["name", "recipients.key"]
    assert checked.faults == caught.value.faults
    assert not as_new.faults


async def test_a_file_that_takes_a_former_name_of_its_own_back_goes_on_under_it(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(name="first")
        await project.send(limit=1)
        project.save(name="second")
        await project.send(as_new=True)

        project.save(name="first")
        summary = await project.send()

    assert (summary.exit_code, summary.sent_in_run) == (0, 2)
    assert set(server.got.values()) == {2}


async def test_a_file_that_takes_the_name_of_another_file_is_refused(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        other = project.write("campaigns/other.yaml", project.path.read_bytes())
        await send(Campaign.load(other), SendOptions(as_new=True))

        project.save(name="other")
        with pytest.raises(ConfigurationError, match="this file was sent as letter"):
            await project.send()

    assert set(server.got.values()) == {2}


async def test_a_key_put_back_goes_on(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(PEOPLE, id="7")
        await project.send(limit=1)
        project.save(recipients={"path": "list.csv", "key": "id"})
        with pytest.raises(ConfigurationError):
            await project.send()

        project.save(recipients="list.csv")
        summary = await project.send()

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def _below(project: MailProject, server: ScriptedServer) -> MailProject:
    """The project sent once, then moved to a folder below its old root."""
    project.servers(server.url())
    await project.send()
    moved = MailProject(project.root / "deeper")
    moved.keys = dict(project.keys)
    return moved


async def test_a_root_that_moved_below_a_ledger_with_this_campaign_is_refused(
    project: MailProject,
) -> None:
    async with scripted() as server:
        moved = await _below(project, server)

        with pytest.raises(ConfigurationError) as refusal:
            await moved.send()

        assert str(project.ledger) in str(refusal.value)
        assert not moved.ledger.exists()
        summary = await moved.send(ledger=project.ledger)

    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_ledger_above_that_does_not_know_the_campaign_is_no_obstacle(
    project: MailProject,
) -> None:
    async with scripted() as server:
        moved = await _below(project, server)
        moved.save(name="another")

        summary = await moved.send()

    assert summary.exit_code == 0
    assert set(server.got.values()) == {2}


async def test_a_ledger_between_campaign_and_root_counts_as_well(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        shutil.move(project.ledger.parent, project.root / "campaigns" / ".bulkmail")

        with pytest.raises(ConfigurationError, match="already holds"):
            await project.send()

    assert not project.ledger.exists()


async def test_a_ledger_given_by_hand_is_taken_whatever_stands_above(project: MailProject) -> None:
    async with scripted() as server:
        moved = await _below(project, server)

        summary = await moved.send(ledger=project.root / "other.db")

    assert summary.exit_code == 0
    assert set(server.got.values()) == {2}


async def test_changed_templates_are_told_checked_and_sent(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=2)

        project.write("templates/letter.txt.j2", "Goodbye {{ name }}.\n")
        heard = Announcements()
        summary = await project.send(watch=heard)

    assert summary.exit_code == 0
    assert any("2 recipients had the former text" in line for line in heard.lines)
    assert server.accepted[-1].has_line(b"Goodbye")


async def test_changed_templates_with_a_fault_stop_the_run_before_anything_is_sent(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=2)

        project.write("templates/letter.txt.j2", "Goodbye {{ nmae }}.\n")
        with pytest.raises(ConfigurationError, match="nmae"):
            await project.send()
        states = await project.states()
        project.write("templates/letter.txt.j2", "Goodbye {{ name }}.\n")
        summary = await project.send()

    assert sorted(states.values()) == ["pending", "sent", "sent"], "the ledger is as it was"
    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_what_has_not_changed_is_not_checked_again(
    project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

        heard = Announcements()
        await project.send(limit=1, watch=heard)
        unchanged = heard.checked
        project.people([*PEOPLE, "new@example.com"])
        await project.send(watch=heard)

    assert not unchanged
    assert heard.checked


async def test_a_from_that_changed_is_told_and_keeps_the_message_ids(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        before = await project.report()

        heard = Announcements()
        project.save(**{"from": "Others <others@elsewhere.example>"})
        await project.send(watch=heard)

    after = await project.report()
    assert any("1 recipient had the former text" in line for line in heard.lines)
    assert [row["message_id"] for row in before.values()] == [
        row["message_id"] for row in after.values()
    ]
    assert {a.message_id.rpartition("@")[2] for a in server.accepted} == {"example.com>"}


async def test_a_bad_row_that_came_with_a_new_list_leaves_the_ledger_as_it_was(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        before = await project.report()

        project.people([ADA, "not an address", EVE])
        with pytest.raises(ConfigurationError):
            await project.send()
        between = await project.report()
        project.people(PEOPLE)
        summary = await project.send()

    assert between == before
    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_skipped_invalid_rows_fail_with_their_reason_and_are_sent_once_mended(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people([ADA, "not an address", EVE])
        first = await project.send(skip_invalid=True)
        rows = await project.report()

        project.people([ADA, BOB, EVE])
        second = await project.send()

    assert (first.exit_code, first.counts.failed, first.counts.sent) == (1, 1, 2)
    assert rows["not an address"]["state"] == "failed"
    assert "not an address" in str(rows["not an address"]["reason"])
    assert second.counts.sent == 3
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_row_that_a_template_fails_on_is_skipped_and_sent_once_mended(
    project: MailProject,
) -> None:
    project.write("templates/letter.txt.j2", "Hello {{ 10 // (size | int) }}\n")
    project.write("campaigns/list.csv", f"email,name,size\n{ADA},A,2\n{BOB},B,0\n{EVE},C,5\n")
    async with scripted() as server:
        project.servers(server.url())
        first = await project.send(skip_invalid=True)
        again = await project.send(skip_invalid=True)

        project.write("templates/letter.txt.j2", "Hello {{ size }}\n")
        mended = await project.send()

    assert (first.exit_code, first.counts.failed) == (1, 1)
    assert (again.exit_code, again.counts.failed) == (1, 1)
    assert mended.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_missing_attachment_is_found_before_anything_is_sent(project: MailProject) -> None:
    project.write("campaigns/letters/Ada.txt", "a")
    project.write("campaigns/letters/Eve.txt", "e")
    project.save(attachments=[{"path": "letters/{{ name }}.txt"}])
    async with scripted() as server:
        project.servers(server.url())
        with pytest.raises(ConfigurationError, match=r"letters/Bob\.txt"):
            await project.send()
        assert not server.commands

        project.write("campaigns/letters/Bob.txt", "b")
        summary = await project.send()

    assert summary.exit_code == 0


async def test_a_failed_row_stays_failed_in_the_next_run(project: MailProject) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no", to=BOB, times=1)) as server:
        project.servers(server.url())
        first = await project.send()
        second = await project.send()

    assert (first.exit_code, second.exit_code) == (1, 1)
    assert BOB not in server.got


async def test_two_campaigns_of_one_ledger_have_nothing_to_do_with_one_another(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        other = project.root / "campaigns" / "other.yaml"
        other.write_bytes(project.path.read_bytes())

        summary = await send(Campaign.load(other), SendOptions(), environ={})

    assert (summary.campaign, summary.exit_code) == ("other", 0)
    assert set(server.got.values()) == {2}
    assert len({a.message_id for a in server.accepted}) == 6
