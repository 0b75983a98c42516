import asyncio
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from bulkmail.sink.certificate import LIFETIME, Identity, make_identity

NOW = datetime.now(UTC)


async def handshake(identity: Identity, authority: bytes, name: str) -> None:
    """A client that verifies as strictly as Python 3.13 does."""
    context = ssl.create_default_context(cadata=authority.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=identity.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name
        )
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "mail.example.org", "192.0.2.7"])
async def test_clients_that_trust_the_authority_accept_every_name(name: str) -> None:
    host = "localhost" if name in ("127.0.0.1", "::1") else name
    identity = make_identity(host, NOW)

    await handshake(identity, identity.authority, name)


async def test_a_name_it_does_not_have_is_refused() -> None:
    identity = make_identity("127.0.0.1", NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname mismatch"):
        await handshake(identity, identity.authority, "mail.example.org")


async def test_another_runs_authority_is_not_enough() -> None:
    former, identity = make_identity("127.0.0.1", NOW), make_identity("127.0.0.1", NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(identity, former.authority, "127.0.0.1")


async def test_it_ends() -> None:
    identity = make_identity("127.0.0.1", NOW - LIFETIME - timedelta(days=2))

    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        await handshake(identity, identity.authority, "127.0.0.1")


def test_what_is_handed_out_holds_no_key_and_signs_no_further_authority() -> None:
    identity = make_identity("127.0.0.1", NOW)

    assert b"PRIVATE" not in identity.authority
    authority = x509.load_pem_x509_certificate(identity.authority)
    limits = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)


def test_the_key_touches_the_disk_encrypted_private_and_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[bytes, int, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(context: ssl.SSLContext, path: Path, password: str) -> None:
        modes = path.stat().st_mode, path.parent.stat().st_mode
        seen.append((path.read_bytes(), modes[0] & 0o777, modes[1] & 0o777))
        load(context, path, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)

    make_identity("127.0.0.1", NOW)

    [(pem, file_mode, folder_mode)] = seen
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    assert (file_mode, folder_mode) == (0o600, 0o700)
    assert list(tmp_path.iterdir()) == []
