"""SASL mechanisms as generators (RFC 4954, 4422): yield the response, receive the challenge.

A session begins a mechanism, sends its first value with AUTH (or none), answers each 334 with what
the generator gives for it, and calls `conclude` at 235, as a mechanism may demand that the server
proves itself too. Where a 334 comes after the generator has returned, or the generator raises, the
exchange is cancelled with "*" (RFC 4954, 4).

AUTH LOGIN was never specified. Nearly all servers ask for the user name with a 334; a few want it
with the command and answer a bare AUTH LOGIN with a syntax error (500, 501, 502): for those begin
again with ``initial_username=True`` on the same connection.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Generator
from contextlib import suppress

from bulkmail.errors import AuthenticationFailed, DialogueMisuse
from bulkmail.secret import Secret

#: What a mechanism is: its first value is the initial response (None: it has none and waits for
#: the server's first challenge), each later one answers the challenge that was sent in.
#: Raw bytes both ways; base64 is the caller's. It returns when it has nothing more to say.
Mechanism = Generator[bytes | None, bytes, None]

#: What ``auto`` tries, the strongest first. XOAUTH2 is not among them: what it wants is a token,
#: and nothing tells one from a password.
_AUTO = ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")
_KNOWN = frozenset({*_AUTO, "XOAUTH2"})

_SURROGATE = re.compile("[\ud800-\udfff]")


def begin(
    name: str, username: str, password: Secret, *, nonce: str, initial_username: bool = False
) -> Mechanism:
    """Start the mechanism `name` (PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256, XOAUTH2).

    `nonce` is fresh randomness for SCRAM, passed in: printable ASCII without a comma. With
    `initial_username`, LOGIN gives the user name as initial response. The generator raises
    `AuthenticationFailed` where the server's challenge is wrong (a SCRAM signature that does not
    fit) or the mechanism cannot carry the user name or password. For SCRAM, answering a challenge
    may take up to about a second of CPU (see `scram.MAX_ITERATIONS`).
    """
    if name == "SCRAM-SHA-256":
        from bulkmail.smtp.scram import scram_sha_256  # noqa: PLC0415  # a table of characters

        return scram_sha_256(username, password, nonce)
    if name == "LOGIN":
        return _login(username, password, initial_username=initial_username)
    simple: dict[str, Callable[[str, Secret], Mechanism]] = {
        "PLAIN": _plain,
        "CRAM-MD5": _cram_md5,
        "XOAUTH2": _xoauth2,
    }
    if name not in simple:
        raise DialogueMisuse(f"no such SASL mechanism here: {name}")
    return simple[name](username, password)


def conclude(mechanism: Mechanism) -> None:
    """Take note that the server answered 235.

    Raises `AuthenticationFailed` where the mechanism demands a proof that it has not seen: whoever
    answered does not know the password (SCRAM).
    """
    with suppress(StopIteration):
        mechanism.send(b"")


def candidates(wanted: str, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Mechanisms to try, the strongest first: `wanted` is ``auto`` or a name as in settings.

    Empty where the server offers none of them; unknown names are ignored on either side.
    """
    names = {name.upper() for name in offered}
    if wanted.lower() == "auto":
        return tuple(name for name in _AUTO if name in names)
    return (wanted.upper(),) if wanted.upper() in _KNOWN & names else ()


def _plain(username: str, password: Secret) -> Mechanism:
    """RFC 4616. The authorization identity stays empty: it is the user's own."""
    if "\0" in username or "\0" in password.reveal():
        raise AuthenticationFailed("PLAIN cannot carry a NUL in the user name or password")
    yield _octets(f"\0{username}\0{password.reveal()}")


def _login(username: str, password: Secret, *, initial_username: bool) -> Mechanism:
    challenge = yield _octets(username) if initial_username else None
    if not initial_username or challenge.lower().startswith(b"user"):
        # Some servers drop the initial response and ask again: to answer with the password would
        # put it where they keep, and log, user names.
        yield _octets(username)
    yield _octets(password.reveal())


def _cram_md5(username: str, password: Secret) -> Mechanism:
    """RFC 2195."""
    challenge = yield None
    try:
        digest = hmac.new(_octets(password.reveal()), challenge, "md5").hexdigest()
    except ValueError as error:
        raise AuthenticationFailed(
            "this system forbids MD5, which CRAM-MD5 needs (settings: server.auth)"
        ) from error
    yield _octets(f"{username} {digest}")


def _xoauth2(username: str, token: Secret) -> Mechanism:
    """Google's and Microsoft's: the token at once; a 334 is an error in JSON, answered emptily."""
    if "\x01" in username or "\x01" in token.reveal():
        raise AuthenticationFailed("XOAUTH2 cannot carry U+0001 in the user name or token")
    yield _octets(f"user={username}\x01auth=Bearer {token.reveal()}\x01\x01")
    yield b""


def _octets(text: str) -> bytes:
    """`text` in UTF-8. A lone surrogate (an environment's octet that is not UTF-8) is refused."""
    # Looked for, not caught: UnicodeEncodeError would carry the secret along.
    if _SURROGATE.search(text):
        raise AuthenticationFailed("the user name or password is not UTF-8")
    return text.encode()
