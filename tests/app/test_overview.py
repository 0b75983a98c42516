"""What a check says of a whole list."""

from __future__ import annotations

from support.mail_project import MailProject

from bulkmail import Campaign
from bulkmail.app.check.checking import check
from bulkmail.app.previewing import preview


async def test_a_check_counts_every_message_that_can_be_sent(project: MailProject) -> None:
    project.write(
        "campaigns/list.csv",
        "email,name,language\na@QQ.com,Ann,zh\nb@foxmail.com,Bob,\nc@x.example,Carl,en\n"
        "c@x.example,Carl,en\nd@x.example,Dora,zh\n",
    )
    campaign = Campaign.load(project.save(skip_if="name == 'Dora'"))

    report = await check(campaign, environ={})

    sizes = [len((await preview(campaign, row=row, environ={})).content) for row in (1, 2, 3)]
    overview = report.overview
    assert not report.faults
    assert (overview.largest_bytes, overview.total_bytes) == (max(sizes), sum(sizes))
    assert overview.providers() == {"qq": 2, "others": 1}
    assert overview.top_domains() == {"qq.com": 1, "foxmail.com": 1, "x.example": 1}
    assert overview.languages == {"zh": 1, "none": 1, "en": 1}
