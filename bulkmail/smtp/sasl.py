"""SASL mechanisms as generators (RFC 4954, 4422): yield the response, receive the challenge."""

from __future__ import annotations

from collections.abc import Generator

from bulkmail.secret import Secret

#: What a mechanism is: its first value is the initial response (None: it has none and waits for
#: the server's first challenge), each later one answers the challenge that was sent in.
#: Raw bytes both ways; base64 is the caller's. It returns when it has nothing more to say.
Mechanism = Generator[bytes | None, bytes, None]


def begin(name: str, username: str, password: Secret, *, nonce: str) -> Mechanism:
    """Start the mechanism `name` (PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256, XOAUTH2).

    `nonce` is fresh randomness for SCRAM, passed in. Raises `AuthenticationFailed` from the
    generator where the server's challenge is wrong (a SCRAM signature that does not fit).
    """
    raise NotImplementedError


def candidates(wanted: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Mechanisms to try, the strongest first: `wanted` is ``auto`` or a name as in settings."""
    raise NotImplementedError
