"""Dry run, test message and preview: what a server would get, without getting it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import on, scripted

from bulkmail import Campaign
from bulkmail.app import records
from bulkmail.app.previewing import preview
from bulkmail.errors import ConfigurationError
from bulkmail.sink import Sink, SinkSettings

ADA, BOB, EVE = PEOPLE
MOMENT = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


def without_date(content: bytes) -> bytes:
    """The message but for its Date."""
    return re.sub(rb"(?m)^Date: [^\r\n]*\r\n", b"", content, count=1)


def files(folder: Path) -> dict[str, bytes]:
    """Content by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def tree(root: Path) -> Mapping[str, bytes]:
    """Everything below a folder."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


async def test_the_files_are_named_by_row_and_address(project: MailProject) -> None:
    project.servers({"host": "mail.example.com"})
    project.people(["o'neil&co@example.com", "Plus+Tag@Example.com", "a/b=c@example.com"])

    summary = await project.send(dry_run=True, out=project.root / "out")

    assert (summary.exit_code, summary.sent_in_run) == (0, 3)
    assert summary.to_json()["sent"] == 3
    assert list(files(project.root / "out" / "letter")) == [
        "000001-o_neil_co@example.com.eml",
        "000002-Plus+Tag@Example.com.eml",
        "000003-a_b_c@example.com.eml",
    ]


async def test_the_default_folder_is_outbox(
    project: MailProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    project.save(name="录用通知书 2026")

    await project.send(dry_run=True)

    assert len(files(project.root / "outbox" / "录用通知书 2026")) == 3


async def test_it_needs_neither_server_nor_password_nor_ledger(project: MailProject) -> None:
    project.servers({"host": "nowhere.invalid", "username": "me", "password": "${NOT_SET}"})

    summary = await project.send(dry_run=True, out=project.root / "out")

    assert summary.exit_code == 0
    assert not (project.root / ".bulkmail").exists()


async def test_a_dry_run_changes_nothing_of_a_ledger_that_is_there(project: MailProject) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        before = tree(project.root / ".bulkmail")

        project.people([*PEOPLE, "new@example.com"])
        summary = await project.send(dry_run=True, out=project.root / "out")

    assert summary.sent_in_run == 4
    assert len(files(project.root / "out" / "letter")) == 4
    assert tree(project.root / ".bulkmail") == before
    assert len(server.arrivals) == 1


async def test_the_files_hold_what_a_server_gets_but_for_the_date(project: MailProject) -> None:
    """All that a message can hold; dots and bare line ends in the body too."""
    project.write("templates/letter.txt.j2", "Hello {{ name }},\n.\n..dots\n你好\n")
    project.write("templates/letter.html.j2", "<p>Hello {{ name }}</p><img src='cid:logo'>\n.\n")
    project.write("campaigns/logo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9)
    project.write("campaigns/all.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 99)
    for name in ("Ada", "Bob", "Eve"):
        project.write(f"campaigns/{name}.txt", f"only for {name}\n")
    project.save(
        html="letter.html.j2",
        cc=["cc@example.com"],
        bcc=["hidden@example.com"],
        inline={"logo": "logo.png"},
        attachments=["all.pdf", {"path": "{{ name }}.txt", "filename": "通知-{{ name }}.txt"}],
        headers={"X-Campaign": "{{ campaign }}"},
    )
    kept = project.root / "kept"
    async with Sink(SinkSettings(directory=kept, tls="none")) as sink:
        project.servers({"host": sink.host, "port": sink.port, "security": "none"})
        await project.send(dry_run=True, out=project.root / "out")
        summary = await project.send()

    written = files(project.root / "out" / "letter").values()
    taken = [path.read_bytes() for path in sorted(kept.glob("*.eml"))]
    assert summary.exit_code == 0
    assert {*map(without_date, written)} == {*map(without_date, taken)}
    assert all(len(re.findall(rb"(?m)^Date: ", content)) == 1 for content in written)
    assert not any(b"hidden@" in content for content in written)


async def test_a_date_makes_the_files_the_same_each_time(project: MailProject) -> None:
    project.write("templates/letter.txt.j2", "On {{ now.isoformat() }}, {{ name }}.\n")
    project.save(schedule={"timezone": "Asia/Shanghai"})

    for out in ("one", "two"):
        await project.send(dry_run=True, out=project.root / out, date=MOMENT)

    one, two = (files(project.root / out / "letter") for out in ("one", "two"))
    assert one == two
    content = one[f"000001-{ADA}.eml"]
    assert b"Date: Tue, 01 Dec 2026 09:00:00 +0800\r\n" in content
    assert b"On 2026-12-01T09:00:00+08:00" in content


async def test_the_message_id_of_a_dry_run_is_that_of_the_wire_whatever_from_is_now(
    project: MailProject,
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        await project.send(limit=1)
        project.save(**{"from": "x@elsewhere.example"})

        await project.send(dry_run=True, out=project.root / "out")
        await project.send()

    written = files(project.root / "out" / "letter")
    for arrival in server.accepted[1:]:
        row = 1 + PEOPLE.index(arrival.recipients[0])
        content = written[f"{row:06d}-{arrival.recipients[0]}.eml"]
        assert without_date(content) == without_date(arrival.content)


async def test_suppressed_rows_and_duplicates_get_no_file(project: MailProject) -> None:
    await records.suppress_add(project.root, [BOB], project.ledger)
    project.write("campaigns/gone.txt", f"{EVE}\n")
    project.people([*PEOPLE, ADA])
    project.save(suppress=["gone.txt"])

    summary = await project.send(dry_run=True, out=project.root / "out")

    assert list(files(project.root / "out" / "letter")) == [f"000001-{ADA}.eml"]
    assert (summary.counts.suppressed, summary.counts.duplicates) == (2, 1)


async def test_suppressed_copies_are_in_no_file(project: MailProject) -> None:
    await records.suppress_add(project.root, ["boss@example.com"], project.ledger)
    project.save(cc=["boss@example.com", "cc@example.com"])

    await project.send(dry_run=True, out=project.root / "out")

    content = files(project.root / "out" / "letter")[f"000001-{ADA}.eml"]
    assert b"Cc: cc@example.com\r\n" in content
    assert b"boss@" not in content


async def test_a_limit_holds_for_files_too(project: MailProject) -> None:
    summary = await project.send(dry_run=True, out=project.root / "out", limit=2)

    assert (summary.exit_code, summary.to_json()["sent"]) == (0, 2)
    assert len(files(project.root / "out" / "letter")) == 2


async def test_a_second_dry_run_writes_over_the_first(project: MailProject) -> None:
    await project.send(dry_run=True, out=project.root / "out")
    project.people([ADA])

    await project.send(dry_run=True, out=project.root / "out")

    assert f"000001-{ADA}.eml" in files(project.root / "out" / "letter")


async def test_a_folder_that_cannot_be_written_is_said_so(project: MailProject) -> None:
    project.write("out", "a file")

    with pytest.raises(Exception, match="out") as failure:
        await project.send(dry_run=True, out=project.root / "out")

    assert getattr(failure.value, "exit_code", 70) in {2, 3}


async def test_bad_rows_stop_a_dry_run_unless_they_are_skipped(project: MailProject) -> None:
    project.people([ADA, "nobody", EVE])
    with pytest.raises(ConfigurationError, match="nobody"):
        await project.send(dry_run=True, out=project.root / "out")
    assert not (project.root / "out").exists()

    summary = await project.send(dry_run=True, out=project.root / "out", skip_invalid=True)

    assert summary.exit_code == 1
    assert len(files(project.root / "out" / "letter")) == 2


async def test_a_test_message_goes_to_one_address_and_leaves_no_trace(project: MailProject) -> None:
    project.save(cc=["cc@example.com"], bcc=["bcc@example.com"])
    async with scripted() as server:
        project.servers(server.url())
        summary = await project.send(test_to="me@example.com")
        assert not project.ledger.exists()

        await project.send(limit=1)
        before = tree(project.root / ".bulkmail")
        await project.send(test_to="me@example.com", row=2)
        await project.send(test_to="me@example.com", email=EVE.upper())
        after = tree(project.root / ".bulkmail")

    first, real, *others = server.accepted
    tests = [first, *others]
    assert summary.exit_code == 0
    assert [arrival.recipients for arrival in tests] == [("me@example.com",)] * 3
    for arrival, name in zip(tests, (b"Ada", b"Bob", b"Eve"), strict=True):
        assert arrival.has_line(b"Hello " + name)
        assert arrival.has_line(b"To: me@example.com")
        assert b"\nCc: " not in arrival.content
    assert len({arrival.message_id for arrival in (real, *tests)}) == 4
    assert before == after


async def test_a_test_message_is_that_of_the_first_row_that_gets_something(
    project: MailProject,
) -> None:
    await records.suppress_add(project.root, [ADA], project.ledger)
    async with scripted() as server:
        project.servers(server.url())

        await project.send(test_to="me@example.com")

    (arrival,) = server.accepted
    assert arrival.has_line(b"Hello Bob")


async def test_a_suppressed_row_gets_nothing_even_when_asked_for(project: MailProject) -> None:
    await records.suppress_add(project.root, [ADA], project.ledger)
    async with scripted() as server:
        project.servers(server.url())

        with pytest.raises(ConfigurationError, match="suppress"):
            await project.send(test_to="me@example.com", row=1)

    assert not server.commands


async def test_a_refused_test_message_is_exit_1_and_a_row_that_is_not_there_exit_2(
    project: MailProject,
) -> None:
    async with scripted(on("rcpt", "550 5.1.1 no")) as server:
        project.servers(server.url())
        summary = await project.send(test_to="me@example.com")
        for choice in ({"row": 9}, {"email": "nobody@example.com"}):
            with pytest.raises(ConfigurationError):
                await project.send(test_to="me@example.com", **choice)

    assert summary.exit_code == 1


@pytest.mark.parametrize(
    ("choice", "words"), [({}, ""), ({"row": 2}, " --row 2"), ({"email": EVE}, f" --email {EVE}")]
)
async def test_a_greylisted_test_message_with_no_wait_is_exit_75_and_is_tried_again(
    project: MailProject, choice: dict[str, Any], words: str
) -> None:
    async with scripted(on("rcpt", "450 4.2.0 later")) as server:
        project.servers(server.url())

        summary = await project.send(test_to="me@example.com", no_wait=True, **choice)

    assert summary.exit_code == 75
    again = f"bulkmail send letter --test-to me@example.com{words}"
    assert summary.next_commands() == [("Try it again", again)]


async def test_a_preview_leaves_out_suppressed_copies_and_says_who_gets_nothing(
    project: MailProject,
) -> None:
    (project.root / "gone.txt").write_text(f"BOSS@example.com\n{BOB}\n")
    project.save(cc=["boss@example.com", "cc@example.com"], suppress=["gone.txt"])
    campaign = Campaign.load(project.path)

    ada, bob = await preview(campaign, email=ADA), await preview(campaign, email=BOB)

    assert ada.envelope.forward_paths == (ADA, "cc@example.com")
    assert b"boss@" not in ada.content
    assert not ada.notices
    assert bob.notices == (f"{BOB} would get nothing: in a suppression file of the campaign",)


async def test_a_preview_is_what_the_recipient_gets(project: MailProject) -> None:
    project.save(cc=["cc@example.com"])
    campaign = Campaign.load(project.path)

    by_row = await preview(campaign, row=2)
    by_address = await preview(campaign, email=BOB)
    first = await preview(campaign)
    async with scripted() as server:
        project.servers(server.url())
        await project.send()

    (bob,) = (a for a in server.accepted if BOB in a.recipients)
    assert without_date(by_row.content) == without_date(bob.content)
    assert without_date(by_address.content) == without_date(bob.content)
    assert by_row.envelope.forward_paths == bob.recipients
    assert b"Hello Ada" in first.content


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("bad\n", "all are bad rows"),
        ("a@example.com\n", "all are suppressed"),
        ("a@example.com\nbad\n", "all are suppressed, or bad rows"),
    ],
)
async def test_why_nobody_on_the_list_can_be_shown(
    project: MailProject, rows: str, why: str
) -> None:
    project.write("campaigns/list.csv", "email,name\n" + rows.replace("\n", ",N\n"))
    project.write("campaigns/gone.txt", "a@example.com\n")
    project.save(suppress="gone.txt")
    project.servers({"host": "127.0.0.1", "port": 9, "security": "none"})

    with pytest.raises(ConfigurationError, match=f"gets a message: {why}$"):
        await project.send(test_to="me@example.com", skip_invalid=True)
