"""The right file for the right person, over runs that are cut and lists that change."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import re

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import scripted

from bulkmail import Campaign
from bulkmail.app import orders
from bulkmail.app.check.checking import CheckReport, check
from bulkmail.errors import ConfigurationError
from bulkmail.fate import State
from bulkmail.report.export import json_line
from bulkmail.report.silence import Silence

ADA, BOB, EVE = PEOPLE


@pytest.fixture
def letters(project: MailProject) -> MailProject:
    """Everybody has a letter of their own, and all have the handbook."""
    for name in ("Ada", "Bob", "Eve"):
        project.write(f"letters/{name}.pdf", f"%PDF for {name}")
    project.write("handbook.pdf", b"%PDF " + bytes(range(256)) * 40)
    project.keys["attachments"] = [
        "handbook.pdf",
        {"path": "letters/{{ name }}.pdf", "filename": "录用-{{ name }}.pdf"},
    ]
    return project


async def test_a_file_that_changed_between_two_runs_fails_its_row(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send(limit=1)
        letters.write("letters/Bob.pdf", "%PDF for Rob")
        (letters.root / "letters/Eve.pdf").unlink()
        summary = await letters.send()

    rows = await letters.report()
    assert (summary.counts.sent, summary.counts.failed) == (1, 2)
    assert rows[ADA]["state"] == "sent"
    assert "Bob.pdf has changed after it was checked" in str(rows[BOB]["reason"])
    assert "letters/Eve.pdf does not exist" in str(rows[EVE]["reason"])
    assert len(server.accepted) == 1


async def test_a_change_that_was_meant_is_sent_after_a_check_and_a_retry(
    letters: MailProject,
) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send(limit=1)
        letters.write("letters/Bob.pdf", "%PDF for Bob, mended")
        await letters.send()
        assert (await letters.states())[BOB] == "failed"

    assert not (await checked(letters)).faults
    await orders.retry(letters.root, str(letters.path), state=State.FAILED)
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send()

    assert (await letters.states())[BOB] == "sent"


async def test_a_check_anew_tells_which_files_have_changed(letters: MailProject) -> None:
    class Heard(Silence):
        def announce(self, sentence: str) -> None:
            said.append(sentence)

    said: list[str] = []
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send(limit=1)
        letters.write("letters/Bob.pdf", "%PDF for Rob")
        letters.write("letters/Eve.pdf", "%PDF for Steve")
        letters.write("templates/letter.txt.j2", "Dear {{ name }}.\n")
        report = await checked(letters)
        letters.write("letters/Eve.pdf", "%PDF for Eve")
        await letters.send(watch=Heard())

    assert (
        "letters/Bob.pdf and 1 more file have changed since their rows were last checked."
        in report.notices
    )
    assert "letters/Eve.pdf has changed since its row was last checked." in said


async def test_nobody_gets_a_file_that_was_sent_to_somebody_else(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send()
        letters.write("campaigns/list.csv", f"email,name\n{ADA},Ada\nzoe@example.com,Ada\n")
        with pytest.raises(ConfigurationError, match=r"is also for row 1, ada@example\.com"):
            await letters.send()

    assert len(server.accepted) == 3


async def test_the_report_tells_what_went_out(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await letters.send(limit=1)

    rows = await letters.report()
    content = server.accepted[0].content
    files = [
        {"name": "handbook.pdf", "size": 10245, "sha256": sha256(letters, "handbook.pdf")},
        {"name": "录用-Ada.pdf", "size": 12, "sha256": sha256(letters, "letters/Ada.pdf")},
    ]
    assert rows[ADA]["attachments"] == files
    assert rows[ADA]["message_sha256"] == digest_by_the_rule(content)
    assert json.loads(json_line(rows[ADA]))["attachments"] == files
    assert rows[BOB]["attachments"] is None
    assert rows[BOB]["message_sha256"] is None


async def test_a_check_by_a_person_lets_the_campaign_go(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        assert not (await checked(letters)).faults
        await letters.send(require_check=True, limit=1)
        await letters.send(require_check=True)

    assert len(server.accepted) == 3


@pytest.mark.parametrize("has_sent", [False, True], ids=["before", "under way"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("campaigns/list.csv", "the list list.csv has changed since"),
        ("templates/letter.txt.j2", "templates/letter.txt.j2 has changed since"),
        ("handbook.pdf", "handbook.pdf has changed since"),
        ("letters/Eve.pdf", "Eve.pdf has changed after it was checked"),
        ("bulkmail.yaml", "bulkmail.yaml came to the campaign since"),
    ],
)
async def test_what_changed_after_the_check_is_not_sent(
    letters: MailProject, name: str, told: str, *, has_sent: bool
) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await checked(letters)
        if has_sent:
            await letters.send(require_check=True, limit=1)
        path = letters.root / name
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
        with pytest.raises(ConfigurationError, match=re.escape(told)):
            await letters.send(require_check=True)
        assert len(server.accepted) == has_sent

        assert not (await checked(letters)).faults
        await letters.send(require_check=True)

    assert len(server.accepted) == 3


async def test_who_left_a_suppression_file_after_the_check_gets_nothing(
    letters: MailProject,
) -> None:
    gone = letters.write("campaigns/gone.txt", f"{BOB}\n")
    async with scripted() as server:
        letters.servers(server.url())
        campaign = Campaign.load(letters.save(suppress=["gone.txt"]))
        assert not (await check(campaign, environ={})).faults
        gone.write_text("", "utf-8")

        with pytest.raises(ConfigurationError, match=r"gone\.txt has changed since"):
            await letters.send(require_check=True)

    assert not server.accepted


async def test_a_file_that_only_a_run_has_checked_is_not_enough(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        await checked(letters)
        letters.write("letters/Eve.pdf", "%PDF for Steve")
        await letters.send(limit=1)
        with pytest.raises(ConfigurationError, match=r"Eve\.pdf .* the row was checked"):
            await letters.send(require_check=True)


async def test_nobody_checked_or_the_check_found_a_fault(letters: MailProject) -> None:
    async with scripted() as server:
        letters.servers(server.url())
        with pytest.raises(ConfigurationError, match="nobody ran `bulkmail check letter`"):
            await letters.send(require_check=True)
        await checked(letters)
        template = letters.write("templates/letter.txt.j2", "Hello {{ nam }}")
        assert (await checked(letters)).faults
        template.write_text("Hello {{ name }}.\n")
        with pytest.raises(ConfigurationError, match="nobody ran `bulkmail check letter`"):
            await letters.send(require_check=True)

    assert not server.accepted


async def test_a_check_that_cannot_be_kept_holds_all_the_same(letters: MailProject) -> None:
    letters.servers({"host": "mail.example.com"})
    letters.write(".bulkmail", "no folder")

    report = await checked(letters)

    assert not report.faults
    assert "is not on record" in report.notices[-1]


async def checked(project: MailProject) -> CheckReport:
    return await check(Campaign.load(project.save()), environ={})


def sha256(project: MailProject, name: str) -> str:
    return hashlib.sha256((project.root / name).read_bytes()).hexdigest()


def digest_by_the_rule(content: bytes) -> str:
    """As docs/reliability.md has it, by other means than the program's."""
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    for part in message.walk():
        if part.get_content_disposition() is not None:
            body = str(part.get_payload()).replace("\r\n", "\n").replace("\n", "\r\n").encode()
            file = part.get_payload(decode=True)
            assert isinstance(file, bytes)
            digest = hashlib.sha256(file).hexdigest().encode()
            assert content.count(body) == 1
            content = content.replace(body, digest)
    return hashlib.sha256(content).hexdigest()
