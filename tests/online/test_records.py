"""What the DNS says of the sender, asked over the wire."""

from __future__ import annotations

import pytest
from support.dns_server import Ask, Zone

from bulkmail.message.dkim.key import DkimKey
from bulkmail.online.dkim_record import dkim_record
from bulkmail.online.dmarc import dmarc
from bulkmail.online.dns import Unanswered
from bulkmail.online.mx import mx
from bulkmail.online.spf import spf


def txt(*texts: str) -> list[str]:
    """Each as a TXT record in strings of at most 255 octets."""
    return [
        " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)) for text in texts
    ]


SPF_CASES: list[tuple[Zone, bool, str]] = [
    ({}, False, "SPF: example.com has no record"),
    ({("example.com", "TXT"): txt("hello", "v=spf1 ip4:192.0.2.1 -all")}, True, "ip4:192.0.2.1"),
    ({("example.com", "TXT"): txt("v=spf1 -all", "v=spf1 ~all")}, False, "has 2 records"),
    ({("example.com", "TXT"): txt("v=spf1 +all")}, False, "`+all` lets everybody send"),
    ({("example.com", "TXT"): txt("v=spf1 all")}, False, "`all` lets everybody send"),
    ({("example.com", "TXT"): txt("v=spf1 ipv4:192.0.2.1 -all")}, False, "is no mechanism"),
    ({("example.com", "TXT"): txt("v=spf1 exp=why.example.com mx/24 -all")}, True, "SPF of"),
    (
        {("example.com", "TXT"): txt("v=spf1 include:gone.example.net -all")},
        False,
        "gone.example.net has no SPF record",
    ),
    (
        {
            ("example.com", "TXT"): txt("v=spf1 include:a.example.net include:b.example.net -all"),
            ("a.example.net", "TXT"): txt("v=spf1 a mx exists:x.example.net ptr -all"),
            ("b.example.net", "TXT"): txt("v=spf1 a:1.example.net a:2.example.net mx mx:x ?all"),
        },
        True,
        "SPF of example.com",
    ),
    (
        {
            ("example.com", "TXT"): txt("v=spf1 mx include:a.example.net include:b.example.net"),
            ("a.example.net", "TXT"): txt("v=spf1 a mx exists:x.example.net ptr -all"),
            ("b.example.net", "TXT"): txt("v=spf1 a:1.example.net a:2.example.net mx mx:x ?all"),
        },
        False,
        "11 look-ups, 10 are allowed",
    ),
    (
        {
            ("example.com", "TXT"): txt("v=spf1 redirect=_spf.example.com"),
            ("_spf.example.com", "TXT"): txt("v=spf1 include:example.com -all"),
        },
        False,
        "11 look-ups, 10 are allowed",
    ),
    (
        {
            ("example.com", "TXT"): txt("v=spf1 include:a.example.net include:b.example.net -all"),
            ("a.example.net", "TXT"): txt("v=spf1 include:both.example.net -all"),
            ("b.example.net", "TXT"): txt("v=spf1 include:both.example.net -all"),
            ("both.example.net", "TXT"): txt("v=spf1 a mx exists:x.example.net ptr -all"),
        },
        False,
        "12 look-ups, 10 are allowed",
    ),
]


@pytest.mark.parametrize(("zone", "is_good", "told"), SPF_CASES)
async def test_spf(ask: Ask, zone: Zone, is_good: bool, told: str) -> None:
    finding = await spf(ask(zone), "example.com")

    assert (finding.is_good, finding.is_fault) == (is_good, False)
    assert told in finding.sentence


async def test_no_answer_is_not_no_record(ask: Ask) -> None:
    with pytest.raises(Unanswered, match=r"TXT of example\.com"):
        await spf(ask({("example.com", "TXT"): ["SERVFAIL"]}), "example.com")


@pytest.mark.parametrize(
    ("records", "is_good", "told"),
    [
        ([], False, "has no record"),
        (["v=DMARC1; p=reject"], True, "p=reject; aligned with From: SPF (mail.example.com)"),
        (["v=DMARC1; p=none; aspf=s"], False, "neither the return path nor a signature"),
        (["v=DMARC1; p=later"], False, "p=later is none of"),
        (["something", "v=DMARC1;p=quarantine"], True, "p=quarantine"),
    ],
)
async def test_dmarc(ask: Ask, records: list[str], is_good: bool, told: str) -> None:
    dns = ask({("_dmarc.example.com", "TXT"): txt(*records)} if records else {})

    finding = await dmarc(dns, "example.com", return_path="mail.example.com", signers=[])

    assert (finding.is_good, finding.is_fault) == (is_good, False)
    assert told in finding.sentence


@pytest.mark.parametrize(
    ("signer", "mode", "is_good"),
    [
        ("example.com", "r", True),
        ("example.com", "s", False),
        ("hr.example.com", "s", True),
        ("example.net", "r", False),
        ("notexample.com", "r", False),
    ],
)
async def test_a_signature_is_aligned_by_the_record_above(
    ask: Ask, signer: str, mode: str, is_good: bool
) -> None:
    dns = ask({("_dmarc.example.com", "TXT"): txt(f"v=DMARC1; p=none; adkim={mode}")})

    finding = await dmarc(dns, "hr.example.com", return_path="bounce.example.net", signers=[signer])

    assert finding.is_good is is_good


async def test_the_record_of_our_key_is_ours(ask: Ask) -> None:
    key = DkimKey.new("example.com", "s1", "rsa")
    other = DkimKey.new("example.com", "s1", "rsa")
    name = ("s1._domainkey.example.com", "TXT")

    ours = await dkim_record(ask({name: txt(key.record)}), key)
    theirs = await dkim_record(ask({name: txt(other.record)}), key)
    revoked = await dkim_record(ask({name: txt("v=DKIM1; p=")}), key)
    none = await dkim_record(ask({}), key)

    assert [found.is_good for found in (ours, theirs, revoked, none)] == [True, False, False, False]
    assert [found.is_fault for found in (ours, theirs, revoked, none)] == [False, True, True, False]
    assert key.record in none.sentence


@pytest.mark.parametrize(
    ("zone", "is_good", "told"),
    [
        (
            {("example.com", "MX"): ["20 b.example.com.", "10 a.example.com."]},
            True,
            "a.example.com, b.",
        ),
        ({("example.com", "MX"): ["0 ."]}, False, "null MX"),
        ({("example.com", "A"): ["192.0.2.1"]}, True, "its own address"),
        ({}, False, "nobody takes mail"),
    ],
)
async def test_mx(ask: Ask, zone: Zone, is_good: bool, told: str) -> None:
    finding = await mx(ask(zone), "example.com")

    assert finding.is_good is is_good
    assert told in finding.sentence
