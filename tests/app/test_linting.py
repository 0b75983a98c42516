"""Notices of a check: no fault, told once each."""

from __future__ import annotations

from support.mail_project import MailProject

from bulkmail import Campaign
from bulkmail.app.check.checking import check


async def test_a_notice_is_told_once_with_its_first_row_and_is_no_fault(
    project: MailProject,
) -> None:
    project.many(150)
    project.write(
        "templates/a.html", "{% if name != 'Reader0' %}<img src='cid:x' alt=''>{% endif %}"
    )

    report = await check(Campaign.load(project.save(html="a.html", text=None)))

    assert report.faults == ()
    assert [notice for notice in report.notices if "cid:x" in notice] == [
        "The HTML shows cid:x, and no image of that name comes along (row 2, reader1@example.com)"
    ]
