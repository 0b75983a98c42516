"""What a person orders of a campaign between its runs: who gets what by it."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.utils import parseaddr
from pathlib import Path

import pytest
from support.mail_project import LETTER, PEOPLE, MailProject
from support.program import PATIENCE
from support.scripted_server import CUT, on, scripted
from support.watching import Announcements

from bulkmail.app import orders, records
from bulkmail.app.summing import Run, summary
from bulkmail.delivery.ending import PAUSED, Ending, RunResult
from bulkmail.delivery.worker import Tally
from bulkmail.errors import CampaignBusy, ConfigurationError
from bulkmail.fate import Counts, Halt, State
from bulkmail.ledger import CampaignLock

ADA, BOB, EVE = PEOPLE


def busy(project: MailProject, name: str = LETTER) -> CampaignLock:
    """The lock of a run that goes on for as long as this is held."""
    return CampaignLock(project.ledger, name)


async def test_a_paused_campaign_is_not_sent_and_says_so(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

        ordered = await orders.pause(project.root, LETTER)
        paused = await project.send()
        (standing,) = await records.status(project.root, LETTER)
        lifted = await orders.resume(project.root, LETTER)
        again = await project.send()

    assert (ordered.campaign, ordered.is_running, ordered.halt) == (LETTER, False, Halt.PAUSED)
    assert (paused.exit_code, paused.stopped, paused.counts.pending) == (75, PAUSED, 2)
    assert ("Lift the pause", f"bulkmail resume {LETTER}") in paused.next_commands()
    assert paused.to_json()["halt"] == "paused"
    assert standing.halt is Halt.PAUSED
    assert (lifted.before, lifted.halt, lifted.count) == (Halt.PAUSED, None, 0)
    assert (again.exit_code, again.halt) == (0, None)
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_dry_run_and_a_test_message_are_not_paused(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.pause(project.root, LETTER)

        dry = await project.send(dry_run=True, out=project.root / "out")
        test = await project.send(test_to="me@example.com")

    assert (dry.sent_in_run, test.sent_in_run) == (3, 1)


async def test_a_cancelled_campaign_is_sent_to_nobody_more(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)

        ordered = await orders.cancel(project.root, LETTER)
        project.people([*PEOPLE, "new@example.com"])
        summary = await project.send()

    assert ordered.count == 2
    assert (summary.exit_code, summary.counts.suppressed) == (0, 3)
    assert summary.sentence().startswith("Cancelled by `bulkmail cancel`.")
    assert summary.next_commands()[0][1] == f"bulkmail retry {LETTER} --state suppressed"
    assert {row["reason"] for row in (await project.report()).values()} == {"accepted", "cancelled"}
    assert server.got == {ADA: 1}


async def test_a_cancelled_campaign_cannot_be_paused(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.cancel(project.root, LETTER)

        with pytest.raises(ConfigurationError, match="is cancelled: nothing more is sent"):
            await orders.pause(project.root, LETTER)


async def test_a_cancellation_that_is_lifted_holds_for_who_was_there(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.cancel(project.root, LETTER)

        lifted = await orders.resume(project.root, LETTER)
        project.people([*PEOPLE, "new@example.com"])
        summary = await project.send()

    assert (lifted.before, lifted.count) == (Halt.CANCELLED, 2)
    assert summary.exit_code == 0
    assert server.got == {ADA: 1, "new@example.com": 1}


async def test_a_cancellation_is_taken_back_by_retry(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.cancel(project.root, LETTER)

        ordered = await orders.retry(project.root, LETTER, state=State.SUPPRESSED)
        summary = await project.send()

    assert (ordered.count, ordered.left, ordered.halt) == (2, 0, None)
    assert summary.exit_code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert all(arrival.has_line(b"Subject: For ") for arrival in server.accepted)


async def test_who_is_gone_from_the_list_does_not_come_back_by_retry(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.cancel(project.root, LETTER)
        await orders.retry(project.root, LETTER, state=State.SUPPRESSED)

        project.people([ADA, BOB])
        await project.send()

    assert server.got == {ADA: 1, BOB: 1}
    assert (await project.report())[EVE]["reason"] == "gone from the list"


async def test_retry_sends_again_to_those_who_failed_with_a_code(project: MailProject) -> None:
    full = on("rcpt", "552 5.2.2 mailbox full", to=BOB, times=1)
    gone = on("rcpt", "550 5.1.1 no such user", to=EVE)
    async with scripted(full, gone) as server:
        project.servers(server.url())
        first = await project.send()

        ordered = await orders.retry(project.root, LETTER, code="5.2.2")
        second = await project.send()

    assert (first.exit_code, first.counts.failed) == (1, 2)
    assert (ordered.count, ordered.left) == (1, 0)
    assert (second.exit_code, second.counts.failed, second.sent_in_run) == (1, 1, 1)
    assert server.got == {ADA: 1, BOB: 1}
    assert server.count(f"RCPT TO:<{EVE}>") == 1


async def test_the_time_to_give_up_counts_anew_after_retry(project: MailProject) -> None:
    async with scripted(on("rcpt", "450 4.2.1 later", times=2)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(retry={"backoff": "10ms", "attempts": 2})
        first = await project.send()

        await orders.retry(project.root, LETTER)
        second = await project.send()

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert (await project.report())[ADA]["attempts"] == 1
    assert server.got == {ADA: 1}


async def test_who_was_suppressed_since_is_not_retried(project: MailProject) -> None:
    async with scripted(on("rcpt", "552 5.2.2 mailbox full", times=2)) as server:
        project.people([ADA, BOB])
        project.servers(server.url())
        await project.send()
        await records.suppress_add(project.root, [ADA])
        project.write("campaigns/left.txt", f"{BOB}\n")
        project.save(suppress=["left.txt"])

        await orders.retry(project.root, LETTER)
        summary = await project.send()

    assert summary.counts.suppressed == 2
    assert server.got == {}


async def test_a_run_under_way_asks_the_campaigns_own_list_before_it_tries_again(
    project: MailProject,
) -> None:
    watch = Announcements()
    full = on("rcpt", "552 5.2.2 mailbox full", to=BOB)
    async with scripted(full, on("rcpt", "450 4.2.1 later", to=EVE)) as server:
        project.servers(server.url())
        project.save(retry={"backoff": "1h"})
        await project.send(no_wait=True)
        project.write("campaigns/left.txt", f"{BOB}\n")
        project.save(suppress=["left.txt"])
        run = asyncio.create_task(project.send(watch=watch))
        await watch.waited.wait()

        ordered = await orders.retry(project.root, LETTER)
        async with asyncio.timeout(PATIENCE):
            while (await project.states())[BOB] == "pending":  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.05)
        run.cancel()
        await asyncio.wait([run])

    assert (ordered.count, ordered.is_running) == (1, True)
    assert (await project.report())[BOB]["reason"] == "in a suppression file of the campaign"
    assert server.count(f"RCPT TO:<{BOB}>") == 1


@pytest.mark.parametrize("ending", [Ending.DONE, Ending.CANCELLED])
def test_a_run_that_leaves_somebody_put_back_waiting_says_so(ending: Ending) -> None:
    counts = Counts(sent=1, pending=1)
    run = Run(
        campaign=LETTER,
        result=RunResult(ending=ending),
        counts=counts,
        tally=Tally(),
        elapsed_seconds=1.0,
    )

    told = summary(run)

    assert told.exit_code == 75
    assert told.next_commands()[0] == ("Go on with", f"bulkmail send {LETTER}")


@pytest.mark.parametrize("ending", [Ending.WAITING, Ending.NO_SERVER])
def test_whom_one_process_left_and_another_sent_to_keeps_no_run_from_being_done(
    ending: Ending,
) -> None:
    result = RunResult(ending=ending, sentence="deferred recipients wait", until=1.0)
    tally, done, left = Tally(), Counts(sent=2), Counts(sent=1, deferred=1)
    over = Run(campaign=LETTER, result=result, counts=done, tally=tally, elapsed_seconds=1.0)
    short = Run(campaign=LETTER, result=result, counts=left, tally=tally, elapsed_seconds=1.0)

    assert (summary(over).exit_code, summary(over).stopped) == (0, "")
    assert summary(over).waiting_until is None
    assert summary(short).exit_code in {3, 75}


@pytest.mark.parametrize("resend", [False, True], ids=["sent", "resend"])
async def test_a_person_decides_on_a_doubt_that_is_held(project: MailProject, resend: bool) -> None:
    async with scripted(on("dot", CUT, times=1)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(on_doubt="hold")
        first = await project.send()
        before = await project.send()

        ordered = await orders.resolve(project.root, LETTER, resend=resend)
        after = await project.send()

    row = (await project.report())[ADA]
    assert (first.exit_code, before.exit_code, before.sent_in_run) == (1, 1, 0)
    assert (ordered.count, after.exit_code, row["state"]) == (1, 0, "sent")
    assert len({arrival.message_id for arrival in server.arrivals}) == 1
    assert len(server.arrivals) == (2 if resend else 1)
    assert row["reason"] == ("accepted" if resend else "resolved by hand")


async def test_a_second_doubt_after_a_resend_is_held(project: MailProject) -> None:
    async with scripted(on("dot", CUT, times=2)) as server:
        project.people([ADA])
        project.servers(server.url())
        project.save(on_doubt="hold")
        await project.send()
        await orders.resolve(project.root, LETTER, resend=True)
        project.save(on_doubt="resend", retry={"backoff": "10ms"})
        summary = await project.send()

    assert (summary.exit_code, summary.counts.in_doubt) == (1, 1)
    assert len(server.arrivals) == 2


async def test_row_data_is_dropped_when_it_is_sent_and_not_before(project: MailProject) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no", to=BOB)) as server:
        project.servers(server.url())
        await project.send()

    kept = dict(project.sql("SELECT address, fields IS NOT NULL FROM delivery"))
    assert kept == {ADA: 0, BOB: 1, EVE: 0}


async def test_all_row_data_is_kept_where_that_is_wanted(project: MailProject) -> None:
    project.shared = {"ledger": {"keep_fields": "always"}}
    async with scripted(on("dot", CUT, to=BOB)) as server:
        project.servers(server.url())
        project.save(on_doubt="hold")
        await project.send(limit=2)
        await orders.resolve(project.root, LETTER, resend=False)
        await orders.cancel(project.root, LETTER)

    assert project.sql("SELECT count(*), count(fields) FROM delivery") == [(3, 3)]


async def test_purge_leaves_the_outcomes_and_nobody_is_sent_to_twice(project: MailProject) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no", to=BOB, times=1)) as server:
        project.servers(server.url())
        await project.send(limit=2)
        before = await project.report()

        ordered = await orders.purge(project.root, LETTER)
        after = await project.report()
        dropped = project.sql("SELECT count(fields) FROM delivery")
        await orders.retry(project.root, LETTER)
        await project.send()

    assert ordered.count == 2
    assert dropped == [(0,)]
    assert after == before
    assert server.got == dict.fromkeys(PEOPLE, 1)
    (bob,) = (a for a in server.accepted if a.recipients == (BOB,))
    assert bob.has_line(b"Subject: For Bob")


async def test_purge_names_the_copies_that_an_upgrade_left(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
    copy = project.write(".bulkmail/ledger.db.v1.bak", b"")

    assert (await orders.purge(project.root, LETTER)).copies == (copy,)


async def test_rename_keeps_who_was_sent_to_and_their_message_ids(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        before = {email: row["message_id"] for email, row in (await project.report()).items()}

        ordered = await orders.rename(project.root, LETTER, "offer-2026")
        project.people([*PEOPLE, "new@example.com"])
        project.save(name="offer-2026")
        summary = await project.send()

    rows = await project.report("offer-2026")
    assert (ordered.campaign, ordered.count) == ("offer-2026", 3)
    assert summary.exit_code == 0
    assert server.got == dict.fromkeys([*PEOPLE, "new@example.com"], 1)
    assert {email: rows[email]["message_id"] for email in PEOPLE} == before
    assert len({row["message_id"] for row in rows.values()}) == 4


async def test_a_renamed_campaign_is_dry_run_as_it_is_sent_and_not_told_as_changed(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        await orders.rename(project.root, LETTER, "offer-2026")
        project.save(name="offer-2026")

        await project.send(dry_run=True, out=project.root / "outbox")
        watch = Announcements()
        await project.send(watch=watch)

    rows = await project.report("offer-2026")
    files = (project.root / "outbox" / "offer-2026").iterdir()
    assert dict(map(_address_and_id, files)) == {
        email: row["message_id"] for email, row in rows.items()
    }
    assert [line for line in watch.lines if "changed" in line or "as they were" in line] == []


async def test_a_campaign_under_the_former_name_of_another_has_message_ids_of_its_own(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        await orders.rename(project.root, LETTER, "last-year")
        project.save(subject="Once more")

        await project.send(dry_run=True, out=project.root / "outbox", as_new=True)
        await project.send(as_new=True)

    before, now = await project.report("last-year"), await project.report()
    ids = {email: row["message_id"] for email, row in now.items()}
    files = (project.root / "outbox" / LETTER).iterdir()
    assert not {row["message_id"] for row in before.values()} & set(ids.values())
    assert dict(map(_address_and_id, files)) == ids


def _address_and_id(path: Path) -> tuple[str, str]:
    message = message_from_bytes(path.read_bytes())
    return parseaddr(message["to"])[1], message["message-id"]


async def test_a_file_that_names_itself_anew_already_is_renamed_from_its_old_name(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()
        project.save(name="offer-2026")

        await orders.rename(project.root, LETTER, "offer-2026")
        summary = await project.send()

    assert (summary.exit_code, summary.sent_in_run) == (0, 0)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (LETTER, LETTER, "is called letter already"),
        (LETTER, "other", "the ledger holds a campaign of that name"),
        ("none", "new", "holds no campaign `none`"),
        (LETTER, "a/b", "the new name"),
        (LETTER, "x@20261201T010000Z", "looks like an occurrence"),
    ],
)
async def test_what_cannot_be_renamed_says_why(
    project: MailProject, old: str, new: str, why: str
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(name="other")
        await project.send()
        project.keys.pop("name")
        await project.send(as_new=True)

        with pytest.raises(ConfigurationError, match=why):
            await orders.rename(project.root, old, new)

    assert len(await records.status(project.root)) == 2


async def test_while_a_run_is_under_way_nothing_is_renamed_or_purged(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

    with busy(project):
        with pytest.raises(CampaignBusy):
            await orders.rename(project.root, LETTER, "other")
        with pytest.raises(CampaignBusy):
            await orders.purge(project.root, LETTER)
        for order in (orders.pause, orders.resume, orders.cancel):
            assert (await order(project.root, LETTER)).is_running
    with busy(project, "other"), pytest.raises(CampaignBusy):
        await orders.rename(project.root, LETTER, "other")


async def test_what_a_dead_run_left_is_settled_by_the_order(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=0)
        project.sql(
            "UPDATE delivery SET owner = 'dead', epoch = 1, lease_until = 9e9,"
            " state = CASE row_number WHEN 1 THEN 'sending' ELSE state END WHERE row_number < 3"
        )

        resolved = await orders.resolve(project.root, LETTER, resend=False)
        cancelled = await orders.cancel(project.root, LETTER)

    assert (resolved.count, cancelled.count) == (1, 2)
    assert await project.states() == {ADA: "sent", BOB: "suppressed", EVE: "suppressed"}


async def test_a_run_that_died_with_a_cancellation_before_it_leaves_nobody_to_send_to(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=0)
        project.sql("UPDATE delivery SET owner = 'dead', epoch = 1, lease_until = 9e9")
        with busy(project):
            await orders.cancel(project.root, LETTER)
        summary = await project.send()

    assert (summary.exit_code, summary.counts.suppressed) == (0, 3)
    assert server.got == {}


async def test_an_order_to_a_campaign_or_a_ledger_that_is_not_there_exits_2(
    project: MailProject, tmp_path: Path
) -> None:
    project.save()
    with pytest.raises(ConfigurationError, match="there is no ledger"):
        await orders.pause(project.root, LETTER)
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

    with pytest.raises(ConfigurationError, match=r"holds no campaign `none`\. It holds letter"):
        await orders.cancel(project.root, "none")
    with pytest.raises(ConfigurationError, match="there is no ledger"):
        await orders.cancel(project.root, LETTER, tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"state": State.SENT}, "who is sent cannot be tried again"),
        ({"code": "55x"}, "no reply code such as 552"),
        ({"code": "5."}, "no reply code such as 552"),
        ({"code": "%"}, "no reply code such as 552"),
    ],
    ids=str,
)
async def test_a_retry_that_means_nothing_is_refused(
    project: MailProject, given: dict[str, State | str], why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        await orders.retry(project.root, LETTER, **given)  # type: ignore[arg-type]  # a table


async def test_a_campaign_that_is_cancelled_says_so_while_it_is_read(project: MailProject) -> None:
    watch = Announcements()
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=0)
        await orders.cancel(project.root, LETTER)
        summary = await project.send(watch=watch)

    assert summary.halt is Halt.CANCELLED
    assert summary.stopped == "cancelled by `bulkmail cancel`"


async def test_a_campaign_is_paused_and_cancelled_while_its_list_is_read_for_the_first_time(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=0)
        # As a pass that is under way leaves it.
        project.sql("UPDATE campaign SET generation = 0, list_sha256 = NULL")

        await orders.pause(project.root, LETTER)
        paused = await project.send()
        await orders.cancel(project.root, LETTER)
        cancelled = await project.send()

    assert (paused.exit_code, paused.halt) == (75, Halt.PAUSED)
    assert (cancelled.exit_code, cancelled.counts.suppressed) == (0, 3)
    assert server.got == {}
