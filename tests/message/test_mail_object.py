"""What tells a message from any other one."""

from __future__ import annotations

import hashlib
import random

import pytest

from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.envelope import Envelope

ENVELOPE = Envelope(reverse_path="a@example.com", forward_paths=("b@example.com",))


def test_a_files_digest_stands_for_its_body() -> None:
    body = b"cGRm\r\n"
    file = Enclosure(name="王.pdf", size=3, sha256="ab" * 32, body=body)
    mail = MailObject(ENVELOPE, (b"header\r\n", body, b"end\r\n", body), "<1@x>", files=(file,))

    digests = mail.digests()

    of = b"header\r\n" + b"ab" * 32 + b"end\r\n" + b"ab" * 32
    assert digests.message_sha256 == hashlib.sha256(of).hexdigest()
    assert digests.attachments == [{"name": "王.pdf", "size": 3, "sha256": "ab" * 32}]


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 5000, 8 * 2047, 8 * 2047 + 1, 100_000])
def test_a_digest_is_that_of_all_octets_however_many(size: int) -> None:
    content = random.Random(size).randbytes(size)
    mail = MailObject(ENVELOPE, (content, b"end\r\n"), "<1@x>")

    assert mail.digests().message_sha256 == hashlib.sha256(content + b"end\r\n").hexdigest()


def test_a_message_without_files_is_its_own_digest() -> None:
    mail = MailObject(ENVELOPE, (b"header\r\n", b"\r\nHello\r\n"), "<1@x>")

    assert mail.digests().message_sha256 == hashlib.sha256(b"header\r\n\r\nHello\r\n").hexdigest()
    assert mail.digests().attachments == []


def test_a_file_that_went_out_before_is_not_a_messages_own() -> None:
    body = b"cGRm\r\n"
    shared = SharedFile(body)
    files = (
        Enclosure(name="a", size=3, sha256="", body=body, shared=shared),
        Enclosure(name="b", size=3, sha256="", body=b"Yg==\r\n"),
    )
    mail = MailObject(ENVELOPE, (b"header\r\n", body, b"Yg==\r\n"), "<1@x>", files=files)
    sizes = [mail.own_size]

    shared.opens()
    sizes.append(mail.own_size)

    assert sizes == [mail.size, mail.size - len(body)]
