"""A certificate made on the spot: an authority for one run, and the server's leaf below it.

Clients verify the sink like any server, with the authority as their `ca_file`. The authority's
key is dropped once it has signed; the leaf's key touches the disk only while OpenSSL loads it,
which takes files alone: in a folder of mode 0700, encrypted with a passphrase nobody else has.
"""

from __future__ import annotations

import ipaddress
import secrets
import ssl
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bulkmail.value_class import value_class

#: As long as public authorities may give one; a sink does not run that long.
LIFETIME = timedelta(days=90)
#: For clients whose clock is behind.
_SLACK = timedelta(days=1)

_ALWAYS = ("localhost", "127.0.0.1", "::1")


@value_class
class Identity:
    """Who the sink is under TLS."""

    #: The authority's certificate, which clients are to trust; PEM.
    authority: bytes
    context: ssl.SSLContext


def make_identity(host: str, now: datetime) -> Identity:
    """An identity that holds for localhost, 127.0.0.1, ::1 and `host`, from `now` on."""
    # Named anew each time: a client that kept an older authority is told "unknown", and not that
    # a signature is wrong.
    name = f"bulkmail sink {secrets.token_hex(4)}"
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = (
        _builder(name, name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = dict.fromkeys((*_ALWAYS, host))
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    leaf = (
        _builder("bulkmail sink", name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(signer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Identity(authority.public_bytes(serialization.Encoding.PEM), _context(key, leaf))


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    # Python 3.13 verifies strictly (RFC 5280): an authority has to say that it signs.
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _context(key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    passphrase = secrets.token_bytes(32).hex()
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    with tempfile.TemporaryDirectory(prefix="bulkmail-sink-") as folder:
        path = Path(folder, "leaf.pem")
        path.touch(mode=0o600)
        path.write_bytes(encrypted + leaf.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path, password=passphrase)
    return context
