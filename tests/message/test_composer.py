"""The whole message: what a reader gets, and that it is a pure function."""

import email.utils
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from message.sample_project import INSTANT, Project, delivery

BODIES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80
).map(lambda text: f"x{text}x")


def normal(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


@pytest.fixture
def letter(project: Project) -> Project:
    """A project whose letter has every kind of part."""
    project.template("l.txt.j2", "{{ body }}")
    project.template("l.html.j2", "{{ body | safe }}")
    project.file("handbook.pdf", b"%PDF" * 1000)
    project.file("logo.png", b"\x89PNG")
    project.keys |= {
        "subject": "{{ title }}",
        "text": "l.txt.j2",
        "html": "l.html.j2",
        "attachments": [{"path": "handbook.pdf", "filename": "{{ title }}.pdf"}],
        "inline": {"logo": "logo.png"},
        "headers": {"X-Campaign": "offer", "List-Id": "新闻 <news.example.com>"},
    }
    return project


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(BODIES, LINES)
@example("亲爱的王芳：\n" * 100, "录用通知书")
@example(".\r\n..\r\n.dots\n", "🎉 Offer 👩‍👩‍👧")
@example("lone\rreturns\r", "عرض عمل")
@example("long " * 500, "s" * 1000)
@example("--=_a.0\n--=_b.0--", "=?utf-8?q?x?=")
@example("From me\n", "a, b; c")
async def test_any_letter_parses_back_to_what_was_meant(
    letter: Project, body: str, title: str
) -> None:
    mail = await letter.compose({"body": body, "title": title})

    content, message = letter.content(mail), letter.parsed(mail)
    assert content.isascii()
    assert b"\0" not in content
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert [part.get_content_type() for part in message.walk()] == [
        *("multipart/mixed", "multipart/related", "multipart/alternative"),
        *("text/plain", "text/html", "image/png", "application/pdf"),
    ]
    assert letter.text(mail) == normal(body)
    assert letter.text(mail, "html") == normal(body)
    assert str(message["subject"]) == title
    attachment = next(iter(message.iter_attachments()))
    assert attachment.get_content() == b"%PDF" * 1000
    assert mail.has_dot_line == any(line[:1] == b"." for line in content.split(b"\r\n"))


async def test_the_same_row_and_instant_give_the_same_bytes(letter: Project) -> None:
    row = delivery(body="{{ now }} 亲爱的", title="录用")

    first = await letter.composer().compose(row, INSTANT)
    again = await letter.composer().compose(row, INSTANT)

    assert first.chunks == again.chunks
    assert first == again


async def test_two_rows_differ_in_boundaries_and_message_id(letter: Project) -> None:
    composer = letter.composer()

    one = await composer.compose(delivery(row=1, body="x", title="t"), INSTANT)
    two = await composer.compose(delivery(row=2, body="x", title="t"), INSTANT)

    assert letter.parsed(one).get_boundary() != letter.parsed(two).get_boundary()
    assert letter.parsed(one)["message-id"] == one.message_id == "<1.abc@example.com>"


@pytest.mark.parametrize(
    "instant",
    [INSTANT, INSTANT.astimezone(timezone(timedelta(hours=-7)))],
    ids=["utc", "elsewhere"],
)
async def test_date_and_now_are_the_instant_in_the_campaigns_zone(
    project: Project, instant: datetime
) -> None:
    project.template("a.txt", "{{ now.isoformat() }}")

    mail = await project.composer(text="a.txt").compose(delivery(), instant)

    assert b"Date: Tue, 01 Dec 2026 09:00:00 +0800\r\n" in project.content(mail)
    assert project.text(mail) == "2026-12-01T09:00:00+08:00\n"


async def test_the_hour_that_comes_twice_has_two_dates(project: Project) -> None:
    composer = project.composer(schedule={"timezone": "Europe/Berlin"})
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    instants = [first + timedelta(hours=hours, milliseconds=hours) for hours in (0, 1, 0)]

    letters = [project.parsed(await composer.compose(delivery(), instant)) for instant in instants]

    offsets = [letter["date"].rpartition(" ")[2] for letter in letters]
    assert offsets == ["+0200", "+0100", "+0200"]


async def test_each_second_has_its_date_whichever_came_before(project: Project) -> None:
    composer = project.composer(schedule={"timezone": "UTC"})
    microseconds = [0, 999_999, 1_000_000, 999_999, -1, 0]
    instants = [INSTANT + timedelta(microseconds=later) for later in microseconds]

    letters = [project.parsed(await composer.compose(delivery(), instant)) for instant in instants]

    dates = [email.utils.parsedate_to_datetime(letter["date"]) for letter in letters]
    assert dates == [instant.replace(microsecond=0) for instant in instants]


async def test_without_a_zone_the_systems_is_taken(project: Project) -> None:
    mail = await project.compose(schedule={})

    date = email.utils.parsedate_to_datetime(project.parsed(mail)["date"])
    assert date == INSTANT
    assert date.utcoffset() == INSTANT.astimezone().utcoffset()


async def test_all_header_fields_are_there_once(letter: Project) -> None:
    mail = await letter.compose(
        {"body": "x", "title": "t"}, reply_to="HR <hr@example.com>", cc=["c@x.example"]
    )

    message = letter.parsed(mail)
    names = [name.lower() for name in message.keys()]  # noqa: SIM118  # a message is no mapping
    assert len(names) == len(set(names))
    assert message["from"] == "People Team <people@example.com>"
    assert message["reply-to"] == "HR <hr@example.com>"
    assert message["mime-version"] == "1.0"
    assert message["list-id"] == "新闻 <news.example.com>"
    assert message["x-campaign"] == "offer"


@pytest.mark.parametrize(
    ("keys", "types"),
    [
        ({"text": "a.txt"}, ["text/plain"]),
        ({"html": "a.html"}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"text": "a.txt", "html": "a.html"}, ["multipart/alternative", "text/plain", "text/html"]),
        (
            {"text": "a.txt", "attachments": ["a.pdf"]},
            ["multipart/mixed", "text/plain", "application/pdf"],
        ),
        (
            {"text": "a.txt", "inline": {"i": "a.pdf"}},
            ["multipart/related", "text/plain", "application/pdf"],
        ),
    ],
)
async def test_only_the_multiparts_that_are_needed(
    project: Project, keys: dict[str, Any], types: list[str]
) -> None:
    project.template("a.txt", "text")
    project.template("a.html", "<p>html</p>")
    project.file("a.pdf", "x")

    mail = await project.compose(**keys)

    parts = list(project.parsed(mail).walk())
    assert [part.get_content_type() for part in parts] == types
    # RFC 2387, 3.1: what the root of related parts is, has to be said.
    assert parts[0].get_param("type") == (types[1] if "multipart/related" in types else None)
    assert project.content(mail).endswith(b"\r\n")


async def test_a_text_part_is_made_from_the_html(project: Project) -> None:
    project.template("a.html", "<p>Dear {{ name }},</p><p>see <a href='https://x.example'>this</a>")

    mail = await project.compose({"name": "A & B"}, html="a.html")

    assert project.text(mail) == "Dear A & B,\n\nsee this (https://x.example)\n"


async def test_an_empty_cell_is_empty_text_and_null_too(project: Project) -> None:
    project.template("a.txt", "[{{ a }}{{ b }}]")

    assert project.text(await project.compose({"a": "", "b": None}, text="a.txt")) == "[]\n"


async def test_an_empty_free_header_is_left_out(project: Project) -> None:
    mail = await project.compose({"x": " "}, headers={"X-Note": "{{ x }}"})

    assert "x-note" not in project.parsed(mail)


async def test_the_mail_object_knows_its_row(project: Project) -> None:
    mail = await project.composer().compose(delivery(row=7, address="Li@EXAMPLE.com"), INSTANT)

    assert (mail.row, mail.address) == (7, "Li@EXAMPLE.com")
    assert mail.envelope.forward_paths == ("Li@EXAMPLE.com",)
    assert mail.size == len(project.content(mail))


async def test_all_faults_of_a_row_are_told_in_one_go(letter: Project) -> None:
    faults = await letter.faults(
        {"body": "x", "title": "a\nb", "id": "7"},
        reply_to="{{ nobody }}",
        cc=["{{ id }}"],
        headers={"X-A": "{{ gone }}"},
        attachments=["letters/{{ id }}.pdf"],
    )

    assert [fault.key for fault in faults] == [
        *("reply_to", "cc[0]", "subject", "headers.X-A", "attachments[0].path")
    ]


async def test_fingerprint_changes_with_what_goes_into_messages(letter: Project) -> None:
    def fingerprint(**keys: Any) -> str:
        return letter.composer(**keys).fingerprint()

    before = fingerprint()

    assert fingerprint() == before
    assert fingerprint(retry={"attempts": 3}) == before
    changed = {fingerprint(subject="other {{ title }}"), fingerprint(headers={})}
    letter.file("handbook.pdf", b"changed")
    changed.add(fingerprint())
    letter.template("inc.j2", "1")
    letter.template("l.txt.j2", "{% include 'inc.j2' %}")
    changed.add(fingerprint())
    letter.template("inc.j2", "2")
    changed.add(fingerprint())
    letter.template("l.txt.j2", "{% include title %}")
    changed.add(fingerprint())
    letter.template("any.j2", "3")
    changed.add(fingerprint())
    assert len(changed | {before}) == 8


def test_fingerprint_stays_where_a_project_is_moved(letter: Project, tmp_path: Path) -> None:
    before = letter.composer().fingerprint()

    moved = Project(tmp_path.rename(tmp_path.with_name("moved")), is_new=False)
    moved.keys = letter.keys

    assert moved.composer().fingerprint() == before


async def test_composing_reads_no_clock(project: Project) -> None:
    mail = await project.composer().compose(delivery(), datetime(1999, 1, 1, tzinfo=UTC))

    assert project.parsed(mail)["date"].datetime.year == 1999


async def test_a_whole_number_is_a_headers_value(project: Project) -> None:
    mail = await project.compose(headers={"X-Priority": 1})

    assert project.parsed(mail)["X-Priority"] == "1"
