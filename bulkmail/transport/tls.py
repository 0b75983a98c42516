"""TLS: what is trusted, and what a handshake came to.

Certificates are verified against the system's trust anchors and those of `ca_file`, host names and
IP addresses against the certificate; TLS 1.2 is the oldest spoken (RFC 8997).
"""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

from bulkmail.errors import TlsFailed
from bulkmail.settings import ServerSettings
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class


@value_class
class TlsFacts:
    """What a handshake came to."""

    #: ``TLSv1.3``.
    version: str
    cipher: str
    #: The server's certificate in DER; b"" where it sent none.
    certificate: bytes
    #: Whether the certificate was held against the trust anchors and the host's name.
    is_verified: bool


def context_for(settings: ServerSettings) -> ssl.SSLContext:
    """The context for a server, made once: reading the trust anchors takes milliseconds.

    Raises `TlsFailed` where `ca_file` cannot be read.
    """
    try:
        return _context(settings.ca_file, settings.verify)
    except (OSError, ssl.SSLError) as error:
        raise TlsFailed(
            f"ca_file {settings.ca_file} is no file of PEM certificates that can be read: "
            f"{error.strerror or error}",
            host=f"{settings.host}:{settings.port}",
            stage=Stage.TLS,
        ) from error


@functools.cache
def _context(ca_file: Path | None, verify: bool) -> ssl.SSLContext:  # noqa: FBT001  # a cache's key
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def facts_of(handshake: ssl.SSLObject) -> TlsFacts:
    """The facts of a finished handshake."""
    cipher = handshake.cipher()
    return TlsFacts(
        version=handshake.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate=handshake.getpeercert(binary_form=True) or b"",
        is_verified=handshake.context.verify_mode is ssl.CERT_REQUIRED,
    )
