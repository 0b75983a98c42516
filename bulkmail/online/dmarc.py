"""DMARC (RFC 7489): whether what is sent counts as from the domain that From names."""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.online.dns import Dns
from bulkmail.online.finding import Finding, advice
from bulkmail.value_class import value_class

_VERSION = "v=DMARC1"
_POLICIES = ("none", "quarantine", "reject")
#: A domain of one label has no mail of its own.
_LEAST_LABELS = 2


@value_class
class Policy:
    """A DMARC record, and the domain it was found at."""

    domain: str
    policy: str
    #: Whether the domains have to be the same, and not only of one organisation.
    is_spf_strict: bool
    is_dkim_strict: bool


async def dmarc(
    dns: Dns, sender: str, *, return_path: str | None, signers: Sequence[str]
) -> Finding:
    """Judge the record that holds for `sender`, and who is aligned with it. Raises `Unanswered`.

    `return_path` is the domain of the reverse-path (None: not known), `signers` the domains that
    sign here; a provider may sign as well, which cannot be seen before.
    """
    found = await policy_of(dns, sender)
    if found is None:
        return advice(
            is_good=False,
            sentence=f"DMARC: {sender} has no record; Gmail and Yahoo ask bulk senders for one: "
            f"publish a TXT record at _dmarc.{sender}, at first `v=DMARC1; p=none; "
            f"rua=mailto:dmarc@{sender}`",
        )
    if found.policy not in _POLICIES:
        return advice(
            is_good=False,
            sentence=f"DMARC of {found.domain}: p={found.policy or '?'} is none of "
            f"{', '.join(_POLICIES)}: the record counts for nothing",
        )
    aligned = []
    if return_path is not None and _is_aligned(
        return_path, sender, found, is_strict=found.is_spf_strict
    ):
        aligned.append(f"SPF ({return_path})")
    aligned += [
        f"DKIM ({signer})"
        for signer in signers
        if _is_aligned(signer, sender, found, is_strict=found.is_dkim_strict)
    ]
    told = f"DMARC of {found.domain}: p={found.policy}"
    if aligned:
        return advice(is_good=True, sentence=f"{told}; aligned with From: {', '.join(aligned)}")
    return advice(
        is_good=False,
        sentence=f"{told}; neither the return path nor a signature of ours is of {sender}: it "
        f"passes only where your provider signs for {sender}. Sign with a `dkim:` key of it, or "
        "give `return_path` its domain",
    )


async def policy_of(dns: Dns, sender: str) -> Policy | None:
    """The record at the domain, or at the nearest above it. Raises `Unanswered`."""
    labels = sender.split(".")
    for start in range(len(labels) - _LEAST_LABELS + 1):
        domain = ".".join(labels[start:])
        texts = await dns.txt(f"_dmarc.{domain}")
        records = [text for text in texts if text.split(";")[0].strip() == _VERSION]
        if len(records) == 1:
            return _parsed(domain, records[0])
    return None


def _parsed(domain: str, record: str) -> Policy:
    parts = (part.partition("=") for part in record.split(";")[1:])
    tags = {name.strip().lower(): value.strip().lower() for name, _, value in parts}
    return Policy(
        domain,
        tags.get("p", ""),
        is_spf_strict=tags.get("aspf") == "s",
        is_dkim_strict=tags.get("adkim") == "s",
    )


def _is_aligned(domain: str, sender: str, policy: Policy, *, is_strict: bool) -> bool:
    """Relaxed, both have to be of the organisation that the record was found at."""
    if domain == sender:
        return True
    return not is_strict and all(
        f".{name}".endswith(f".{policy.domain}") for name in (domain, sender)
    )
