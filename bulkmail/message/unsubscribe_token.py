"""The token that a reader leaves with: stateless, and nothing of the reader in it.

Version 1 is ``1`` and 48 characters of base32 in lower case (so that no mail system's idea of case
spoils it), over 30 octets:

- 15 octets of identity: HMAC-SHA-256 over ``bulkmail unsubscribe 1 identity`` NUL Message-ID;
- 15 octets of proof: HMAC-SHA-256 over ``bulkmail unsubscribe 1 proof`` NUL identity,

both under the secret and cut to their first octets. Whoever has the secret can tell a token of ours
from an invented one without any list; only the ledger, which has every Message-ID, tells whose it
is. The Message-ID of a campaign's recipient stays the same for ever, and so does the token.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from bulkmail.secret import Secret

_VERSION = "1"
#: Stands for the version where the secret was not at hand: such a message goes to nobody.
_STAND_IN = "0"
_IDENTITY = b"bulkmail unsubscribe 1 identity\0"
_PROOF = b"bulkmail unsubscribe 1 proof\0"
_SIZE = 15


class TokenRefused(ValueError):
    """What was given is no token of this secret; the sentence says why."""


def unsubscribe_token(message_id: str, secret: Secret | None) -> str:
    """The token of the recipient whose Message-ID this is; without a secret one for show."""
    key = b"" if secret is None else secret.reveal().encode()
    identity = _identity(message_id, key)
    text = base64.b32encode(identity + _cut(key, _PROOF + identity)).decode("ascii").lower()
    return (_STAND_IN if secret is None else _VERSION) + text


def token_identity(token: str, secret: Secret) -> bytes:
    """The identity in a token, proven. Raises `TokenRefused`."""
    text = token.strip().lower()
    if text[:1] == _STAND_IN:
        raise TokenRefused("comes from a dry run or preview without the secret")
    if text[:1] != _VERSION:
        raise TokenRefused("is no token of a version known here")
    try:
        octets = base64.b32decode(text[1:].upper())
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("is no token: it was cut or changed on its way") from error
    identity, proof = octets[:_SIZE], octets[_SIZE:]
    if not hmac.compare_digest(proof, _cut(secret.reveal().encode(), _PROOF + identity)):
        raise TokenRefused("was not made with this secret")
    return identity


def message_identity(message_id: str, secret: Secret) -> bytes:
    """The identity that the token of this Message-ID holds."""
    return _identity(message_id, secret.reveal().encode())


def _identity(message_id: str, key: bytes) -> bytes:
    return _cut(key, _IDENTITY + message_id.encode())


def _cut(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_SIZE]
