"""A server's certificate, read for a person. It was judged before, in the handshake.

cryptography is slow to import, so only those who show a certificate import this module.
"""

from __future__ import annotations

from cryptography import x509

from bulkmail.value_class import value_class

_SECONDS_PER_DAY = 86400


@value_class(kw_only=True)
class Certificate:
    """Whose it is, who says so, and for how long."""

    #: Common name, or the first name it is valid for.
    subject: str
    issuer: str
    #: DNS names and IP addresses it is valid for.
    names: tuple[str, ...]
    #: Epoch seconds.
    expires_at: float

    def days_left(self, now: float) -> int:
        """Whole days from `now` (epoch seconds) to its end; negative behind it."""
        return int((self.expires_at - now) // _SECONDS_PER_DAY)


def parse_certificate(der: bytes) -> Certificate | None:
    """Read a certificate in DER; None where it cannot be read."""
    try:
        found = x509.load_der_x509_certificate(der)
        names = _names(found)
        return Certificate(
            subject=_common_name(found.subject) or (names[0] if names else ""),
            issuer=f"{_organisation(found.issuer)} {_common_name(found.issuer)}".strip(),
            names=names,
            expires_at=found.not_valid_after_utc.timestamp(),
        )
    except ValueError:
        return None


def _common_name(name: x509.Name) -> str:
    return _first(name, x509.NameOID.COMMON_NAME)


def _organisation(name: x509.Name) -> str:
    return _first(name, x509.NameOID.ORGANIZATION_NAME)


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    return next((str(part.value) for part in name.get_attributes_for_oid(oid)), "")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return (
        *found.value.get_values_for_type(x509.DNSName),
        *map(str, found.value.get_values_for_type(x509.IPAddress)),
    )
