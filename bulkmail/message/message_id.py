"""The Message-ID: one for one (campaign, key), for ever (RFC 5322, 3.6.4)."""

from __future__ import annotations

import hashlib


def message_id(campaign: str, key: str, domain: str) -> str:
    """The Message-ID of a campaign's recipient, with angle brackets.

    Derived from both names alone, so that every try of every run gives the same one and a resend
    is recognisable; nothing of the address can be read from it. `domain` is From's, as an A-label.
    """
    digest = hashlib.sha256(f"{campaign}\0{key}".encode()).hexdigest()
    return f"<{digest[:40]}@{domain}>"
