import ssl

import trustme

from bulkmail.transport.certificate import parse_certificate


def test_a_certificate_is_read_for_a_person() -> None:
    leaf = trustme.CA(organization_name="Test Trust").issue_cert(
        "mail.example.com", "192.0.2.1", common_name="mail.example.com"
    )
    der = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())

    certificate = parse_certificate(der)

    assert certificate is not None
    assert certificate.subject == "mail.example.com"
    assert certificate.issuer == "Test Trust"
    assert certificate.names == ("mail.example.com", "192.0.2.1")
    assert certificate.days_left(certificate.expires_at - 86400 * 61 - 1) == 61
    assert certificate.days_left(certificate.expires_at + 1) == -1


def test_what_is_no_certificate_is_none() -> None:
    assert parse_certificate(b"") is None
