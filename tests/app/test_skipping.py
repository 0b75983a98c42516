"""`skip_if`: who gets nothing is suppressed, and judged anew in each run."""

from __future__ import annotations

from support.mail_project import PEOPLE, MailProject
from support.scripted_server import CUT, on, scripted

from bulkmail import Campaign
from bulkmail.app.check.checking import check

ADA, BOB, EVE = PEOPLE


async def test_who_is_skipped_is_suppressed_with_the_reason(project: MailProject) -> None:
    project.save(skip_if="name == 'Bob'")
    async with scripted() as server:
        project.servers(server.url())

        summary = await project.send()

    row = (await project.report())[BOB]
    assert (summary.exit_code, summary.counts.sent, summary.counts.suppressed) == (0, 2, 1)
    assert (row["state"], row["reason"]) == ("suppressed", "skipped by skip_if: name == 'Bob'")
    assert BOB not in server.got


async def test_nothing_is_asked_of_a_row_that_is_skipped(project: MailProject) -> None:
    project.write("campaigns/ada.pdf", "A")
    project.write("campaigns/eve.pdf", "E")
    campaign = Campaign.load(
        project.save(skip_if="name == 'Bob'", attachments=["{{ name | lower }}.pdf"], servers=None)
    )

    report = await check(campaign)

    assert report.faults == ()


async def test_the_condition_is_judged_anew_when_it_changes(project: MailProject) -> None:
    project.save(skip_if="name == 'Bob'")
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

        project.save(skip_if="name == 'Eve'")
        summary = await project.send()

    assert (summary.exit_code, summary.sent_in_run, summary.counts.suppressed) == (0, 1, 0)
    assert server.got == {ADA: 1, BOB: 1, EVE: 1}


async def test_who_is_skipped_takes_no_place_in_a_limited_run(project: MailProject) -> None:
    project.save(skip_if="name == 'Ada'")
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        summary = await project.send(limit=1)

    assert summary.counts.sent == 2
    assert server.got == {BOB: 1, EVE: 1}


async def test_the_condition_holds_at_the_moment_of_sending(project: MailProject) -> None:
    project.save(skip_if="true")
    project.write("campaigns/list.csv", f"email,name\n{ADA},Ada\n")
    async with scripted(on("rcpt", "450 later", times=1)) as server:
        project.servers(server.url())
        project.save(skip_if="now.microsecond < 0", retry={"backoff": "1h"})
        await project.send(no_wait=True)
        project.a_day_passes()
        project.save(skip_if="now.year > 2000")

        summary = await project.send()

    assert (summary.exit_code, summary.counts.suppressed) == (0, 1)
    assert server.got == {}


async def test_a_dry_run_writes_nothing_for_who_is_skipped(project: MailProject) -> None:
    project.save(skip_if="name == 'Bob'", servers=None)

    summary = await project.send(dry_run=True, out=project.root / "out")

    names = sorted(path.name for path in (project.root / "out").rglob("*.eml"))
    assert names == [f"000001-{ADA}.eml", f"000003-{EVE}.eml"]
    assert summary.counts.suppressed == 1


async def test_who_may_have_it_stays_in_doubt_and_is_not_sent_again(project: MailProject) -> None:
    project.write("campaigns/list.csv", f"email,name\n{ADA},Ada\n")
    async with scripted(on("dot", CUT, times=1)) as server:
        project.servers(server.url())
        project.save(skip_if="false", on_doubt="hold", retry={"backoff": "10ms"})
        await project.send()
        project.save(skip_if="true", on_doubt="resend")

        summary = await project.send()

    assert summary.counts.in_doubt == 1
    assert (await project.report())[ADA]["reason"] == (
        "in doubt, and not sent again: skipped by skip_if: true"
    )


async def test_a_check_says_how_many_of_the_list_get_nothing(project: MailProject) -> None:
    some = await check(Campaign.load(project.save(skip_if="name == 'Bob'", servers=None)))
    everybody = await check(Campaign.load(project.save(skip_if="true", servers=None)))

    why = "skipped by `skip_if`, or in a file of `suppress`"
    assert f"1 of 3 recipients get nothing: {why}" in some.notices
    assert f"Nobody on the list gets a message: all are {why}" in everybody.notices
