"""The server's side of SCRAM-SHA-256 (RFC 5802, 7677), as values: no channel binding, one user."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from dataclasses import field

from bulkmail.secret import Secret
from bulkmail.smtp.saslprep import saslprep
from bulkmail.value_class import value_class

#: The least that RFC 7677 (4) allows: 2 ms. The sink keeps nothing that would need more.
ITERATIONS = 4096

# "n" or "y": the client has no channel binding, or believes that we have none (we have none).
# Nobody acts for another here, so an authorization identity is refused.
_FIRST = re.compile(r"(?P<header>[ny],,)(?P<bare>n=(?P<name>[^,]*),r=(?P<nonce>[^,]+))")
_FINAL = re.compile(r"(?P<bare>c=(?P<binding>[^,]*),r=(?P<nonce>[^,]*)),p=(?P<proof>[^,]*)")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@value_class
class ScramKeys:
    """What a server keeps of a password (RFC 5802, 3)."""

    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def derive(cls, password: Secret, salt: bytes, iterations: int = ITERATIONS) -> ScramKeys:
        """The keys of a password; takes milliseconds on purpose.

        Raises `AuthenticationFailed` where SCRAM cannot carry the password (SASLprep).
        """
        prepared = saslprep(password.reveal(), "password").encode()
        salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
        stored_key = hashlib.sha256(_hmac(salted, "Client Key")).digest()
        return cls(salt, iterations, stored_key, _hmac(salted, "Server Key"))


class ScramExchange:
    """One login: `first` answers the client's first message, `final` its last one.

    `username` is prepared (SASLprep), `nonce` fresh, printable ASCII without a comma.
    """

    def __init__(self, username: str, keys: ScramKeys, nonce: str) -> None:
        self._username = username
        self._keys = keys
        self._nonce = nonce
        self._header = ""
        self._transcript = ""
        self._is_known = False

    def first(self, message: bytes) -> bytes | None:
        """The server's first message; None where the client's is malformed or wants more.

        An unknown user is told like a wrong password: at the end.
        """
        match = _FIRST.fullmatch(message.decode(errors="replace"))
        if match is None:
            return None
        name = match["name"].replace("=2C", ",").replace("=3D", "=")
        self._is_known = hmac.compare_digest(name.encode(), self._username.encode())
        self._header = match["header"]
        self._nonce = match["nonce"] + self._nonce
        salt = b64encode(self._keys.salt).decode()
        reply = f"r={self._nonce},s={salt},i={self._keys.iterations}"
        self._transcript = f"{match['bare']},{reply}"
        return reply.encode()

    def final(self, message: bytes) -> bytes | None:
        """The server's signature, which ends a good login; None: refused."""
        match = _FINAL.fullmatch(message.decode(errors="replace"))
        if match is None or match["nonce"] != self._nonce:
            return None
        if match["binding"] != b64encode(self._header.encode()).decode():
            return None
        transcript = f"{self._transcript},{match['bare']}"
        if not (self._is_proven(match["proof"], transcript) and self._is_known):
            return None
        return b"v=" + b64encode(_hmac(self._keys.server_key, transcript))

    def _is_proven(self, proof: str, transcript: str) -> bool:
        try:
            given = b64decode(proof, validate=True)
        except ValueError:
            return False
        signature = _hmac(self._keys.stored_key, transcript)
        if len(given) != len(signature):
            return False
        client_key = bytes(a ^ b for a, b in zip(given, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self._keys.stored_key)
