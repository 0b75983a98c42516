"""Header fields: what a reader gets back, and how long a line is."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.utils import format_datetime, parseaddr
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.address import Mailbox, parse_address
from bulkmail.message import header_field
from bulkmail.message.header_field import date_field, mailbox_field, text_field

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200).map(
    lambda text: text.strip()
)
ASCII_LINES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.strip)


def read(field: bytes) -> Any:
    message = email.message_from_bytes(field + b"\r\n", policy=email.policy.SMTP)
    return next(iter(message.values()))


@given(LINES)
@example("a" * 1000)
@example("录用" * 500)
@example("=?utf-8?q?not_a_word?= at all")
@example("two  spaces é  here")
@example("é a é  b")
@example("a" * 70 + " b")
@example("a" * 75 + " é")
def test_any_subject_reads_back(subject: str) -> None:
    assert str(read(text_field("Subject", subject))) == subject


@given(LINES | ASCII_LINES)
@example("x" * 3000)
@example("- " * 500)
def test_lines_of_a_subject_are_short(subject: str) -> None:
    field = text_field("Subject", subject)

    assert field.endswith(b"\r\n")
    assert field.isascii()
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert all(line.strip() for line in field[:-2].split(b"\r\n"))


@given(
    st.datetimes(),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_date_is_as_the_standard_library_writes_it(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(tzinfo=zone)

    assert date_field("Date", moment) == f"Date: {format_datetime(moment)}\r\n".encode()


def test_a_date_names_day_and_month() -> None:
    assert date_field("Date", datetime(2026, 3, 1, 9, 5, tzinfo=UTC)) == (
        b"Date: Sun, 01 Mar 2026 09:05:00 +0000\r\n"
    )


def test_plain_words_of_a_subject_stay_readable() -> None:
    assert text_field("Subject", "Offer for 王芳 only") == (
        b"Subject: Offer for =?utf-8?b?546L6Iqz?= only\r\n"
    )


def test_a_long_url_in_a_free_header_is_left_whole() -> None:
    url = "<https://example.com/" + "u" * 200 + ">"

    field = text_field("List-Unsubscribe", f"{url}, <mailto:out@example.com>", is_structured=True)

    assert url.encode() in field
    assert read(field).replace("\r\n", "") == f"{url}, <mailto:out@example.com>"


@given(st.integers(900, 2000))
def test_no_word_makes_a_line_over_998(length: int) -> None:
    field = text_field("X-Long", "x" * length, is_structured=True)

    assert all(len(line) <= 998 for line in field.split(b"\r\n"))
    assert str(read(field)) == "x" * length


@given(LINES)
@example("Wang, Fang")
@example('Fang "the boss" Wang')
@example("王芳")
@example("王芳, Head of 人力资源部")
@example("🎉 Party 👩‍👩‍👧")
@example("back\\slash")
@example("=?utf-8?q?x?=")
@example("محمد علي")
@example("Dr. A. (x) <y> @ z:;,")
@example("two  spaces é")
def test_any_display_name_reads_back(name: str) -> None:
    field = mailbox_field("To", [Mailbox(name, parse_address("a@b.example"))])

    (address,) = read(field).addresses
    assert address.addr_spec == "a@b.example"
    # Python 3.11's newer reader keeps the space between two encoded words of a name, and makes
    # one space of any run; the older one reads as RFC 2047 says.
    if field.count(b"=?utf-8") < 2:
        assert address.display_name.split() == name.split()
    older = email.message_from_bytes(field + b"\r\n", policy=email.policy.compat32)["To"]
    shown, _ = parseaddr(older.replace("\r\n", ""))
    assert str(make_header(decode_header(shown))) == re.sub(" +", " ", name)


@given(st.lists(LINES, min_size=1, max_size=30))
def test_any_number_of_mailboxes_reads_back_in_short_lines(names: list[str]) -> None:
    boxes = [Mailbox(name, parse_address(f"u{n}@b.example")) for n, name in enumerate(names)]

    field = mailbox_field("Cc", boxes)

    assert [address.addr_spec for address in read(field).addresses] == [
        box.address.wire for box in boxes
    ]
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Li Wei", b"Li Wei <a@b.example>"),
        ("Wang, Fang", b'"Wang, Fang" <a@b.example>'),
        ('The "Boss"', rb'"The \"Boss\"" <a@b.example>'),
        ("王芳", b"=?utf-8?b?546L6Iqz?= <a@b.example>"),
        ("", b"a@b.example"),
    ],
)
def test_display_names_are_written_as_plainly_as_they_can_be(name: str, written: bytes) -> None:
    field = mailbox_field("To", [Mailbox(name, parse_address("a@b.example"))])

    assert field == b"To: " + written + b"\r\n"


@given(LINES | ASCII_LINES, st.sampled_from(["To", "Disposition-Notification-To"]))
@example("x" * 50, "To")
@example("a" * 61, "To")
@example("An =?utf-8?q?x?= b", "To")
@example("录用通知书" * 3, "To")
def test_a_short_mailbox_is_written_as_it_would_be_folded(shown: str, name: str) -> None:
    mailbox = Mailbox(shown, parse_address("a@example.com"))
    field = mailbox_field(name, (mailbox,))

    with patch.object(header_field, "_short_mailbox", return_value=None):
        assert mailbox_field(name, (mailbox,)) == field


def test_an_idn_domain_is_an_a_label() -> None:
    field = mailbox_field("To", [Mailbox("", parse_address("fang@例子.example"))])

    assert field == b"To: fang@xn--fsqu00a.example\r\n"
