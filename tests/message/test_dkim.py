"""Signatures that an independent verifier accepts, and that hold what they promise."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from message.dkim_peer import Peer
from message.sample_project import Project, delivery

from bulkmail.errors import ConfigurationError
from bulkmail.message.composer import Composer
from bulkmail.message.dkim.canonical import BodyHash, relaxed_fields
from bulkmail.message.dkim.key import DkimKey
from bulkmail.message.dkim.signing import DkimSigner
from bulkmail.message.keyring import Keyring

#: Before any clock that verifies: a signature of the future does not hold.
INSTANT = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
RSA = DkimKey.new("example.com", "r2026", "rsa")
ED25519 = DkimKey.new("example.com", "e2026", "ed25519")
BOTH = (RSA, ED25519)
PEER = Peer(BOTH)

HEADER = b"From: A <a@example.com>\r\nTo: b@example.org\r\nSubject: x\r\n"
#: Bodies as they may be cut and spaced.
BODIES = st.lists(
    st.sampled_from([b"a", b"Hi", b" ", b"  ", b"\t", b"\r\n", b".", b"=20\r\n", b" \r\n"]),
    max_size=30,
).map(lambda pieces: b"".join(pieces) + b"\r\n")


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(content) + 1) for place in places} | {len(content)})
    return [content[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def signed(content: bytes, keys: Sequence[DkimKey] = BOTH, cuts: Sequence[int] = ()) -> bytes:
    end = content.index(b"\r\n\r\n") + 4
    body = cut(content[end:], cuts)
    return b"".join(DkimSigner(keys).signed((content[:end] + body[0], *body[1:]), INSTANT))


@given(BODIES, st.lists(st.integers(0, 300), max_size=6))
@example(b"\r\n", [])
@example(b"  \r\n\t\r\n", [2])
@example(b"a \t b \r\n \r\n", [1, 2, 4, 7])
@settings(max_examples=80)
def test_any_body_cut_anywhere_is_signed_as_a_verifier_sees_it(
    body: bytes, cuts: list[int]
) -> None:
    whole = signed(HEADER + b"\r\n" + body)

    assert signed(HEADER + b"\r\n" + body, cuts=cuts) == whole
    assert PEER.verdicts(whole) == [True, True]


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60),
    st.sampled_from([" ", "  ", "\t", "\r\n ", " \r\n\t "]),
)
@settings(max_examples=40)
def test_folds_and_spaces_of_a_header_do_not_matter(word: str, space: str) -> None:
    field = f"Subject:{space}{word}{space}{word}\r\n".encode()

    assert PEER.verdicts(signed(b"From: a@example.com\r\n" + field + b"\r\nx\r\n")) == [True, True]
    assert list(relaxed_fields(field)) == [(b"subject", f"subject:{word} {word}".encode())]


def test_the_relaxed_form_is_that_of_the_rfc() -> None:
    # RFC 6376, 3.4.5: example 1.
    body = BodyHash()
    for piece in (b" C \r\n", b"D \t E\r\n", b"\r\n", b"\r\n"):
        body.feed(piece)
    expected = BodyHash()
    expected.feed(b" C\r\nD E\r\n")

    assert [field for _, field in relaxed_fields(b"A: X\r\nB : Y\t\r\n\tZ  \r\n")] == [
        b"a:X",
        b"b:Y Z",
    ]
    assert body.digest() == expected.digest()


def test_an_empty_body_has_the_hash_of_the_rfc() -> None:
    # RFC 6376, 3.4.4.
    assert BodyHash().digest().hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize(
    "change",
    [
        (b"Hello", b"Hallo"),
        (b"Subject: x", b"Subject: y"),
        (b"From: A", b"From: B"),
        (b"a@example.com", b"c@example.com"),
        (b"To: b", b"From: evil@example.net\r\nTo: b"),
    ],
    ids=["body", "subject", "name", "address", "a second From"],
)
def test_a_change_breaks_both_signatures(change: tuple[bytes, bytes]) -> None:
    content = signed(HEADER + b"\r\nHello\r\n")

    assert PEER.verdicts(content) == [True, True]
    assert PEER.verdicts(content.replace(*change)) == [False, False]


def test_from_is_named_once_more_than_it_is_there() -> None:
    content = signed(HEADER + b"X-Other: y\r\n\r\nHello\r\n", [RSA])

    (names,) = re.findall(rb" h=([^;]+);", content)
    assert names.replace(b"\r\n ", b"").split(b":") == [b"subject", b"to", b"from", b"from"]


def test_signatures_are_folded_and_the_same_for_the_same_instant() -> None:
    content = signed(HEADER + b"\r\nHello\r\n")

    assert signed(HEADER + b"\r\nHello\r\n") == content
    assert all(len(line) <= 78 for line in content.split(b"\r\n"))
    assert f"t={int(INSTANT.timestamp())};".encode() in content


async def test_a_whole_letter_is_signed_with_both_keys(project: Project) -> None:
    project.template("a.html", "<p>录用  通知书</p>\n\n\n" * 40)
    project.file("handbook.pdf", b"%PDF" * 5000)
    project.file("former.eml", b"Subject: two  spaces \r\n\r\nand  more\t\r\n")
    campaign = project.campaign(
        html="a.html",
        reply_to="hr@example.com",
        attachments=["handbook.pdf", "former.eml"],
        headers={"Feedback-ID": "1:offer:example", "List-Id": "<news.example.com>"},
        unsubscribe={"url": "https://example.com/u?t={token}", "secret": "0123456789abcdef"},
    )
    composer = Composer(campaign, keyring=Keyring(dkim=BOTH))

    mail = await composer.compose(delivery(), INSTANT)
    content = project.content(mail)

    assert PEER.verdicts(content) == [True, True]
    names = re.findall(rb" h=([^;]+);", content)[0].replace(b"\r\n ", b"").split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id", b"list-id"} <= {*names}
    assert mail.chunks[1] is (await composer.compose(delivery(row=2), INSTANT)).chunks[1]
    draft = await composer.draft(delivery(), INSTANT)
    assert content.endswith(project.content(draft))
    assert not project.content(draft).startswith(b"DKIM-Signature")


async def test_the_digest_of_a_signed_message_is_that_of_what_is_sent(project: Project) -> None:
    project.template("a.html", '<p>Hi</p><img src="logo.png">')
    project.file("logo.png", b"\x89PNG" * 500)
    project.file("letters/7.pdf", b"%PDF 7" * 500)
    campaign = project.campaign(html="a.html", attachments=["letters/{{ id }}.pdf"])
    composer = Composer(campaign, keyring=Keyring(dkim=BOTH))

    mail = await composer.compose(delivery(id="7"), INSTANT)

    # As docs/reliability.md has it: by anybody who holds the message, without a look at our code.
    content = project.content(mail)
    assert content.count(b"DKIM-Signature:") == len(BOTH)
    for part in project.parsed(mail).walk():
        if part.get_content_disposition() is not None:
            body = str(part.get_payload()).encode()
            decoded = part.get_payload(decode=True)
            assert isinstance(decoded, bytes)
            assert body in content
            content = content.replace(body, hashlib.sha256(decoded).hexdigest().encode())
    assert mail.digests().message_sha256 == hashlib.sha256(content).hexdigest()
    assert mail.digests() != (await composer.draft(delivery(id="7"), INSTANT)).digests()


async def test_dots_at_the_beginning_of_lines_are_signed_before_they_are_doubled(
    project: Project,
) -> None:
    project.template("a.txt", ".\n..\n.dots\n")
    composer = Composer(project.campaign(text="a.txt"), keyring=Keyring(dkim=BOTH))

    mail = await composer.compose(delivery(), INSTANT)

    assert mail.has_dot_line
    assert PEER.verdicts(project.content(mail)) == [True, True]


def test_an_instant_before_the_epoch_is_no_negative_number() -> None:
    chunks = DkimSigner([ED25519]).signed(
        (HEADER + b"\r\nx\r\n",), datetime(1960, 1, 1, tzinfo=UTC)
    )

    assert b" t=0;" in chunks[0]


class TestKeyring:
    """Keys as a campaign names them."""

    def test_a_key_comes_from_a_file_or_the_environment(self, project: Project) -> None:
        project.file("campaigns/k.pem", RSA.pem().reveal())
        one_line = ED25519.pem().reveal().replace("\n", "\\n")
        campaign = project.campaign(
            dkim=[
                {"domain": "Example.COM", "selector": "a", "key": {"file": "k.pem"}},
                {"domain": "例子.example", "selector": 2026, "key": "${KEY}"},
            ]
        )

        keys = Keyring.whole(campaign, {"KEY": one_line}).dkim

        assert [key.record_name for key in keys] == [
            "a._domainkey.example.com",
            "2026._domainkey.xn--fsqu00a.example",
        ]
        assert [key.algorithm for key in keys] == ["rsa-sha256", "ed25519-sha256"]
        assert "PRIVATE" not in repr(keys) + repr(campaign)

    @pytest.mark.parametrize(
        ("key", "sentence"),
        [
            ("${KEY}", "the environment variable KEY is not set"),
            ({"file": "gone.pem"}, "gone.pem cannot be read: No such file or directory"),
            ({"file": "empty.pem"}, "empty.pem is empty"),
            ({"file": "public.pem"}, "holds no private key that can be read"),
            ({"file": "binary"}, "binary is not text"),
            ({"file": "pipe"}, "pipe is a pipe or a device, where a file belongs"),
            ({"file": "long"}, "long is longer than any key or secret"),
            ("k.pem", "holds no key in PEM"),
        ],
        ids=str,
    )
    def test_a_key_that_cannot_be_had_is_a_fault_at_its_line(
        self, project: Project, key: object, sentence: str
    ) -> None:
        project.file("empty.pem", "\n")
        project.file("binary", b"\xff\xfe\xfd")
        project.file("long", "x" * 65537)
        os.mkfifo(project.root / "pipe")
        project.file(
            "public.pem", "-----BEGIN PRIVATE KEY-----\nSECRETTEXT\n-----END PRIVATE KEY-----\n"
        )
        campaign = project.campaign(dkim={"domain": "example.com", "selector": "s", "key": key})

        with pytest.raises(ConfigurationError) as caught:
            Keyring.whole(campaign, {})

        (fault,) = caught.value.faults
        assert sentence in fault.message
        assert fault.key == "dkim.key"
        assert fault.line
        assert "SECRETTEXT" not in str(caught.value)
        at_hand = Keyring.at_hand(campaign, {})
        assert at_hand.dkim == ()
        assert "without this DKIM signature" in at_hand.notices()[0]

    def test_a_key_of_bulkmail_yaml_signs_for_all_campaigns(self, project: Project) -> None:
        project.file(
            "bulkmail.yaml",
            "dkim: {domain: example.com, selector: s, key: '${KEY}'}\n",
        )
        environ = {"KEY": RSA.pem().reveal()}

        assert len(Keyring.whole(project.campaign(), environ).dkim) == 1
        assert Keyring.whole(project.campaign(dkim=[]), environ).dkim == ()
        with pytest.raises(ConfigurationError, match=r"bulkmail\.yaml:1:\d+ +dkim\.key"):
            Keyring.whole(project.campaign(), {})
