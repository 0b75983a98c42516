"""TLS against real handshakes: who is trusted, and what may stand before one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from support.real_server import LOOPBACK, Peer, serving

from bulkmail.clock import SystemClock
from bulkmail.errors import ConnectionLost, PlaintextInjected, SessionError, StageTimeout, TlsFailed
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import Security, ServerSettings
from bulkmail.transport.certificate import parse_certificate
from bulkmail.transport.session import Session
from bulkmail.transport.tls import context_for

PATIENCE = 300.0
SHORT = 0.1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def server_context(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    def make(*names: str, not_after: datetime | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = authority.issue_cert(*(names or (LOOPBACK, "localhost")), not_after=not_after)
        certificate.configure_cert(context)
        return context

    return make


@pytest.fixture
def settings(ca_file: Path) -> ServerSettings:
    return ServerSettings(
        name="real",
        host=LOOPBACK,
        port=0,
        security=Security.TLS,
        local_hostname="me.example",
        ca_file=ca_file,
        timeout=PATIENCE,
    )


async def open_at(settings: ServerSettings, port: int) -> Session:
    async with asyncio.timeout(PATIENCE):
        return await Session.open(replace(settings, port=port), clock=SystemClock())


async def greets(peer: Peer) -> None:
    await peer.greets("PIPELINING")
    await peer.hears()
    await peer.says("221 bye")


Contexts = Callable[..., ssl.SSLContext]


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
async def test_implicit_tls_verifies_names_and_ip_addresses(
    settings: ServerSettings, server_context: Contexts, host: str
) -> None:
    async with serving(greets, server_context()) as port:
        session = await open_at(replace(settings, host=host), port)
        await session.quit()

    assert session.tls is not None
    assert session.tls.version in ("TLSv1.2", "TLSv1.3")
    assert session.tls.is_verified
    assert session.extensions.pipelining


async def test_starttls_verifies_and_asks_again(
    settings: ServerSettings, server_context: Contexts
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets("STARTTLS", "SIZE 10")
        await peer.hears()
        await peer.says("220 go")
        await peer.starts_tls(server_context())
        await peer.answers_ehlo("SIZE 20")
        await peer.hears()
        await peer.says("221 bye")

    async with serving(behave) as port:
        session = await open_at(replace(settings, security=Security.STARTTLS), port)
        await session.quit()

    assert session.tls is not None
    assert session.extensions.size == 20


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS, Security.OPPORTUNISTIC])
async def test_a_certificate_for_another_host_is_not_trusted(
    settings: ServerSettings, server_context: Contexts, security: Security
) -> None:
    context = server_context("other.example")

    async def behave(peer: Peer) -> None:
        if security is not Security.TLS:
            await peer.greets("STARTTLS")
            await peer.hears()
            await peer.says("220 go")
            await peer.starts_tls(context)
        await greets(peer)

    implicit = context if security is Security.TLS else None
    async with serving(behave, implicit) as port:
        with pytest.raises(TlsFailed, match="certificate is not to be trusted") as caught:
            await open_at(replace(settings, security=security), port)

    assert (caught.value.stage, caught.value.host) == ("tls", f"{LOOPBACK}:{port}")


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(
    settings: ServerSettings, server_context: Contexts
) -> None:
    async with serving(greets, server_context()) as port:
        with pytest.raises(TlsFailed, match="ca_file"):
            await open_at(replace(settings, ca_file=None), port)


async def test_a_certificate_that_has_ended_is_not_trusted(
    settings: ServerSettings, server_context: Contexts
) -> None:
    context = server_context(LOOPBACK, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    async with serving(greets, context) as port:
        with pytest.raises(TlsFailed, match="expired"):
            await open_at(settings, port)


async def test_without_verify_any_certificate_will_do(
    settings: ServerSettings, server_context: Contexts
) -> None:
    async with serving(greets, server_context("other.example")) as port:
        session = await open_at(replace(settings, verify=False, ca_file=None), port)
        await session.quit()

    assert session.tls is not None
    assert not session.tls.is_verified
    certificate = parse_certificate(session.tls.certificate)
    assert certificate is not None
    assert certificate.names == ("other.example",)


async def test_tls_below_1_2_is_not_spoken(settings: ServerSettings) -> None:
    context = context_for(settings)

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_context_is_made_once_for_the_same_settings(settings: ServerSettings) -> None:
    same = replace(settings, port=25, name="another")

    assert context_for(settings) is context_for(same)
    assert context_for(settings) is not context_for(replace(settings, verify=False))


@pytest.mark.parametrize("content", [None, "no PEM"])
async def test_a_ca_file_that_cannot_be_read_is_named(
    settings: ServerSettings, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "missing.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(TlsFailed, match=r"missing\.pem"):
        await open_at(replace(settings, ca_file=path), 25)


async def test_a_plaintext_greeting_where_tls_was_due_says_so(settings: ServerSettings) -> None:
    async with serving(greets) as port:
        with pytest.raises(TlsFailed, match="starttls"):
            await open_at(settings, port)


async def test_a_handshake_that_is_cut_or_ignored_ends_in_time(
    settings: ServerSettings,
) -> None:
    async def hangs_up(peer: Peer) -> None:
        await peer.reader.read(10)

    async def ignores(peer: Peer) -> None:
        await asyncio.Event().wait()

    async with serving(hangs_up) as port:
        with pytest.raises(ConnectionLost, match="ended the TLS handshake"):
            await open_at(settings, port)
    async with serving(ignores) as port:
        with pytest.raises(StageTimeout) as caught:
            await open_at(replace(settings, timeout=SHORT), port)
    assert caught.value.stage == "tls"


@pytest.mark.parametrize(
    ("alert", "expected"), [(80, ConnectionLost), (40, TlsFailed)], ids=["internal", "handshake"]
)
async def test_a_server_in_trouble_of_its_own_is_not_one_whose_tls_is_wrong(
    settings: ServerSettings, alert: int, expected: type[SessionError]
) -> None:
    async def alerts(peer: Peer) -> None:
        peer.writer.write(bytes([21, 3, 3, 0, 2, 2, alert]))
        # All that is said is read, or the connection would be reset.
        while await peer.reader.read(4096):
            pass

    async with serving(alerts) as port:
        with pytest.raises(expected, match="TLS handshake"):
            await open_at(settings, port)


async def test_plaintext_before_the_handshake_is_an_attack(
    settings: ServerSettings, server_context: Contexts
) -> None:
    # CVE-2011-0411 and its kin, from the client's side: whoever sits between appends an answer to
    # EHLO to the 220, and the client would take it as the server's, said under TLS.
    async def behave(peer: Peer) -> None:
        await peer.greets("STARTTLS")
        await peer.hears()
        await peer.says("220 go", "250-evil.example", "250 AUTH PLAIN")
        await peer.starts_tls(server_context())
        await peer.answers_ehlo()

    async with serving(behave) as port:
        with pytest.raises(PlaintextInjected):
            await open_at(replace(settings, security=Security.STARTTLS), port)


async def test_a_cancelled_handshake_leaves_nothing_open(settings: ServerSettings) -> None:
    is_begun = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.reader.read(10)
        is_begun.set()
        await asyncio.Event().wait()

    async with serving(behave) as port:
        opening = asyncio.create_task(open_at(settings, port))
        await is_begun.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_big_content_goes_out_under_tls(
    settings: ServerSettings, server_context: Contexts, mail_object: Callable[..., MailObject]
) -> None:
    received = bytearray()

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        while not received.endswith(b"\r\n.\r\n"):
            received.extend(await peer.reader.read(65536))
        await peer.says("250 queued")
        await peer.hears()

    async def unmarked() -> None:
        return

    content = (b"y" * 70 + b"\r\n") * 50_000
    # In plaintext the system would send it.
    shared = SharedFile(content)
    assert [shared.opens(), shared.opens()] == [False, True]
    file = Enclosure(name="a", size=1, sha256="", body=content, shared=shared)
    mail = replace(mail_object(content=content), files=(file,))
    async with serving(behave, server_context()) as port:
        session = await open_at(settings, port)
        async with asyncio.timeout(PATIENCE):
            result = await session.send(mail, unmarked)
        session.abort()

    assert result.is_accepted
    assert bytes(received) == content + b".\r\n"


async def test_a_server_that_resets_under_tls_is_a_lost_connection(
    settings: ServerSettings, server_context: Contexts
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.hears()

    async with serving(behave, server_context()) as port:
        session = await open_at(settings, port)
        with pytest.raises(SessionError) as caught:
            await session.noop()

    assert caught.value.stage == "noop"
