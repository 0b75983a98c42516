"""File names in Content-Type and Content-Disposition."""

import email
import email.policy
import email.utils
from email.message import EmailMessage

from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.message.parameter import disposition_field, media_type_field

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=200
).map(str.strip)


def read(field: bytes) -> EmailMessage:
    return email.message_from_bytes(field + b"\r\n", policy=email.policy.SMTP)


@given(NAMES.filter(bool))
@example("录用通知书-王芳.pdf")
@example("录用通知书" * 40 + ".pdf")
@example("plain name.pdf")
@example('with "quotes" and \\.pdf')
@example("a'b''c%20.pdf")
@example("=?utf-8?q?x?=.pdf")
@example("x" * 250)
@example("عرض.pdf")
@example("🎉.png")
@example("<>")
@example('"whole"')
def test_any_file_name_reads_back_from_content_disposition(name: str) -> None:
    field = disposition_field("attachment", name)

    message = read(field)
    assert message["content-disposition"].params["filename"] == name
    # It takes a second pair of quotes or angle brackets off, however they were written.
    assert message.get_filename() == email.utils.unquote(name)
    assert message.get_content_disposition() == "attachment"
    assert not message["content-disposition"].defects
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert field.isascii()


@given(NAMES.filter(bool))
@example("录用通知书-王芳.pdf")
@example("录用通知书" * 40 + ".pdf")
def test_any_file_name_reads_back_from_the_name_that_older_readers_look_at(name: str) -> None:
    field = media_type_field("application/pdf", name)

    message = read(field)
    assert message.get_content_type() == "application/pdf"
    assert message["content-type"].params["name"] == name
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))


def test_the_three_writings() -> None:
    assert disposition_field("attachment", "a.pdf") == (
        b'Content-Disposition: attachment; filename="a.pdf"\r\n'
    )
    assert disposition_field("inline", "ß.png") == (
        b"Content-Disposition: inline; filename*=utf-8''%C3%9F.png\r\n"
    )
    assert media_type_field("image/png", "ß.png") == (
        b'Content-Type: image/png; name="=?utf-8?b?w58ucG5n?="\r\n'
    )


def test_a_character_is_never_split_between_two_sections() -> None:
    field = disposition_field("attachment", "王" * 60)

    sections = [line.split(b"=", 1)[1] for line in field.split(b"\r\n") if b"*=" in line]
    for section in sections:
        assert section.removeprefix(b"utf-8''").rstrip(b";").count(b"%") % 3 == 0
