"""The golden corpus: each message parses back to what was written by hand."""

from __future__ import annotations

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from pathlib import Path

import pytest
from message.sample_project import INSTANT
from support.corpus import Case, cases

from bulkmail.errors import ConfigurationError

CASES = list(cases())
GOOD = [case for case in CASES if "fault" not in case.expect]
BAD = [case for case in CASES if "fault" in case.expect]
#: What is expected beside header fields.
BEYOND_HEADERS = {"structure", "text", "html", "attachments", "encoding", "dots", "absent", "count"}


def test_the_corpus_is_large_enough_and_each_case_has_a_name() -> None:
    assert len(GOOD) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
async def test_it_parses_to_what_was_written_by_hand(case: Case, tmp_path: Path) -> None:
    mail = await case.mail(tmp_path, INSTANT)

    content = b"".join(mail.chunks)
    message = email.message_from_bytes(content, policy=email.policy.default)
    expect = case.expect
    assert not any(part.defects for part in message.walk())
    for field in expect.keys() - BEYOND_HEADERS:
        assert expect[field] in seen(content, field), field
    if "structure" in expect:
        assert structure(message) == expect["structure"]
    for key, subtype in (("text", "plain"), ("html", "html")):
        if key in expect:
            assert text_of(message, subtype) == expect[key]
    if "attachments" in expect:
        assert [
            [part.get_filename(), part.get_content_type(), bytes_of(part).decode()]
            for part in message.iter_attachments()
        ] == expect["attachments"]
    if "encoding" in expect:
        assert message["content-transfer-encoding"] == expect["encoding"]
    if "absent" in expect:
        assert expect["absent"].encode() not in content
    for field, count in expect.get("count", {}).items():
        assert len(message[field].addresses) == count
    assert mail.has_dot_line == (b"\n." in content)
    assert mail.has_dot_line or "dots" not in expect


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
async def test_it_is_fit_for_any_server(case: Case, tmp_path: Path) -> None:
    content = b"".join((await case.mail(tmp_path, INSTANT)).chunks)

    assert content.isascii()
    assert b"\0" not in content
    assert content.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    header = content.partition(b"\r\n\r\n")[0]
    for line in header.split(b"\r\n"):
        # What has no place to break stays whole (RFC 5322, 2.1.1: 78 is a should).
        assert len(line) <= 78 or b" " not in line.strip().partition(b": ")[2], line
    for word in re.findall(rb"=\?[^?]+\?[bqBQ]\?[^?]*\?=", header):
        assert len(word) <= 75


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
async def test_it_never_reaches_the_wire(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await case.mail(tmp_path, INSTANT)

    assert case.expect["fault"] in caught.value.faults[0].message


def seen(content: bytes, field: str) -> list[str | None]:
    """The field as Python's two parsers read it.

    The newer one puts spaces between the encoded words of a name, where RFC 2047 (6.2) has none.
    """
    new = email.message_from_bytes(content, policy=email.policy.default)[field]
    old = email.message_from_bytes(content)[field]
    if new is None or old is None:
        return [None]
    unfolded = re.sub(r"\r?\n", "", str(old))
    return [str(new), str(make_header(decode_header(unfolded)))]


def structure(part: MIMEPart) -> str:
    """``mixed(alternative(plain html) application/pdf)``."""
    if part.get_content_maintype() == "multipart":
        inner = " ".join(structure(child) for child in part.iter_parts())
        return f"{part.get_content_subtype()}({inner})"
    is_body = part.get_content_maintype() == "text" and not part.get_content_disposition()
    return part.get_content_subtype() if is_body else part.get_content_type()


def text_of(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return bytes_of(body).decode().replace("\r\n", "\n")


def bytes_of(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content
