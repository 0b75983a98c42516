"""VERP: whom a bounce is about, written into the address it comes back to.

``bounces+{{ key | verp }}@example.com`` becomes ``bounces+li.wei=example.org@example.com`` for
``li.wei@example.org``, as with qmail and Postfix. What else an address part cannot hold, and ``=``
and ``+`` themselves, is ``+`` and two hexadecimal digits an octet, so that it can be read back.
What would be too long for the 64 octets before an @ (RFC 5321, 4.5.3.1.1) is a digest instead,
which can be held against the keys of the ledger.
"""

from __future__ import annotations

import hashlib
import re

#: Longest text that is written out; leaves room for ``bounces+`` and more.
MAX_SIZE = 50
_DIGEST = "+-"
_DIGEST_DIGITS = 32
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_WRITTEN = {octet: chr(octet) if octet in _SAFE else f"+{octet:02X}" for octet in range(256)}
_WRITTEN[ord("@")] = "="
#: Dots that would stand at an end or beside another one.
_BAD_DOT = re.compile(r"^\.|\.$|(?<=\.)\.")


def verp(value: object) -> str:
    """`value` as a part of what stands before an @; the same for the same value, always."""
    octets = str(value).encode()
    text = _BAD_DOT.sub("+2E", octets.decode("latin-1").translate(_WRITTEN))
    if len(text) > MAX_SIZE:
        return _DIGEST + hashlib.sha256(octets).hexdigest()[:_DIGEST_DIGITS]
    return text
