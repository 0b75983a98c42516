"""SCRAM-SHA-256 (RFC 5802, 7677) without channel binding: a proof of the password both ways.

What the server sends is checked before it is used: its nonce must extend ours, the iteration count
is bounded, and its signature is compared in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Generator

from bulkmail.errors import AuthenticationFailed, DialogueMisuse
from bulkmail.secret import Secret
from bulkmail.smtp.saslprep import saslprep
from bulkmail.value_class import value_class

#: RFC 7677 asks for 4,096 and OWASP for 600,000. A million takes about half a second of CPU; more
#: is a server that wants to burn it.
MAX_ITERATIONS = 1_000_000

#: "n,,": no channel binding, no authorization identity; and its base64.
_GS2_HEADER = "n,,"
_CHANNEL = "biws"

_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_SERVER_FIRST = re.compile(
    r"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+),s=(?P<salt>[^,]+),i=(?P<iterations>[0-9]{1,10})(?:,.*)?",
    re.DOTALL,
)
_SERVER_FINAL = re.compile(r"v=(?P<signature>[^,]+)(?:,.*)?", re.DOTALL)
_ERROR = re.compile(r"e=([A-Za-z0-9-]{1,64})")


@value_class
class _Terms:
    """What the server asks for in its first message."""

    nonce: str
    salt: bytes
    iterations: int


def scram_sha_256(
    username: str, password: Secret, nonce: str
) -> Generator[bytes | None, bytes, None]:
    """The mechanism, as `sasl.Mechanism` describes it."""
    if not _NONCE.fullmatch(nonce):
        raise DialogueMisuse("a SCRAM nonce is printable ASCII without a comma")
    name = saslprep(username, "user name").replace("=", "=3D").replace(",", "=2C")
    secret = saslprep(password.reveal(), "password").encode()
    client_first = f"n={name},r={nonce}"

    server_first = yield f"{_GS2_HEADER}{client_first}".encode()
    terms = _terms(server_first, nonce)
    client_final = f"c={_CHANNEL},r={terms.nonce}"
    signed = b",".join((client_first.encode(), server_first, client_final.encode()))
    salted = hashlib.pbkdf2_hmac("sha256", secret, terms.salt, terms.iterations)

    server_final = yield f"{client_final},p={_proof(salted, signed)}".encode()
    signature = _hmac(_hmac(salted, b"Server Key"), signed)
    if not hmac.compare_digest(_signature(server_final), signature):
        raise AuthenticationFailed(
            "the server did not prove that it knows the password (SCRAM): it may be another"
        )
    # RFC 4954, 4: success carries no data, so the signature came as a challenge; this answers it.
    yield b""


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _proof(salted: bytes, signed: bytes) -> str:
    client_key = _hmac(salted, b"Client Key")
    signature = _hmac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return base64.b64encode(proof).decode()


def _terms(server_first: bytes, nonce: str) -> _Terms:
    match = _SERVER_FIRST.fullmatch(_text(server_first))
    if match is None:
        raise _malformed()
    iterations = int(match["iterations"])
    if not match["nonce"].startswith(nonce) or match["nonce"] == nonce:
        raise AuthenticationFailed("the server's SCRAM nonce does not extend ours")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise AuthenticationFailed(
            f"the server asks for {iterations} SCRAM iterations; 1 to {MAX_ITERATIONS} are done"
        )
    return _Terms(match["nonce"], _decoded(match["salt"]), iterations)


def _signature(server_final: bytes) -> bytes:
    match = _SERVER_FINAL.fullmatch(_text(server_final))
    if match is None:
        raise _malformed()
    return _decoded(match["signature"])


def _text(message: bytes) -> str:
    """A message of the server's as text. Raises `AuthenticationFailed` where it is an error."""
    try:
        text = message.decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error
    if failure := _ERROR.match(text):
        raise AuthenticationFailed(f"the server refused the login: {failure[1]} (SCRAM)")
    return text


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error


def _malformed() -> AuthenticationFailed:
    return AuthenticationFailed("the server's SCRAM message is malformed")
