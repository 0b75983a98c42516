"""A DKIM key: what it signs with, and its record in the DNS (RFC 6376, 3.6; RFC 8463)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import field
from typing import Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: RFC 8301, 3.2: verifiers do not count a shorter one.
LEAST_RSA_BITS = 1024
_NEW_RSA_BITS = 2048
#: RFC 1035, 3.3: a TXT record is strings of at most so many octets.
_MAX_STRING = 255

KeyType = Literal["rsa", "ed25519"]


@value_class
class DkimKey:
    """A private key, with the name that its public half is found under."""

    #: In A-labels, in lower case.
    domain: str
    selector: str
    _key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, domain: str, selector: str, pem: Secret) -> Self:
        """The key in `pem`, PKCS#8 or PKCS#1.

        A backslash and an n may stand for a line's end, as they often do in the environment.
        Raises `ValueError` when it is no such key; nothing of the key is in the sentence.
        """
        text = pem.reveal().replace("\\n", "\n")
        if "-----BEGIN" not in text:
            raise ValueError(
                "holds no key in PEM (-----BEGIN PRIVATE KEY-----); a file's name is written "
                "{file: PATH}"
            )
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        except TypeError:
            raise ValueError("is a key under a passphrase: store it without one") from None
        except (ValueError, UnsupportedAlgorithm):
            # What cryptography says may quote what it was given.
            raise ValueError("holds no private key that can be read") from None
        if isinstance(key, rsa.RSAPrivateKey):
            if key.key_size < LEAST_RSA_BITS:
                raise ValueError(
                    f"is an RSA key of {key.key_size} bits: nobody counts one below "
                    f"{LEAST_RSA_BITS} (RFC 8301)"
                )
        elif not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ValueError("is neither an RSA nor an Ed25519 key")  # noqa: TRY004  # a wrong file
        return cls(domain, selector, key)

    @classmethod
    def new(cls, domain: str, selector: str, kind: KeyType) -> Self:
        """A key that nobody has had before."""
        if kind == "ed25519":
            return cls(domain, selector, ed25519.Ed25519PrivateKey.generate())
        return cls(domain, selector, rsa.generate_private_key(65537, _NEW_RSA_BITS))

    @property
    def algorithm(self) -> str:
        """The signature's `a=`."""
        return f"{self._kind}-sha256"

    @property
    def _kind(self) -> KeyType:
        return "rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "ed25519"

    def sign(self, content: bytes) -> bytes:
        """The signature over `content`, as octets."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        # RFC 8463, 3: Ed25519 signs the digest, not the content.
        return self._key.sign(hashlib.sha256(content).digest())

    def pem(self) -> Secret:
        """The private key as a file has it (PKCS#8)."""
        octets = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Secret(octets.decode("ascii"))

    @property
    def record_name(self) -> str:
        """Where the public key belongs in the DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What stands there: the text of the TXT record, without quotes."""
        public = self._key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            octets = public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        else:
            # RFC 8463, 4.2: the key itself, without ASN.1 around it.
            octets = public.public_bytes_raw()
        return f"v=DKIM1; k={self._kind}; p={base64.b64encode(octets).decode('ascii')}"

    @property
    def record_strings(self) -> list[str]:
        """`record` in the pieces that a zone file's strings may hold."""
        text = self.record
        return [text[at : at + _MAX_STRING] for at in range(0, len(text), _MAX_STRING)]


def published_key(record: str) -> bytes:
    """The public key (`p=`) in a TXT record's text. Raises `ValueError` when it holds none."""
    tags = dict(part.strip().split("=", 1) for part in record.split(";") if "=" in part)
    text = "".join(tags.get("p", "").split())
    try:
        octets = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("its p= is not base64") from error
    if not octets:
        raise ValueError("it has no p=, or an empty one: the key was revoked")
    return octets
