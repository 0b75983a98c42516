"""SMTPClient against aiosmtpd."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bulkmail.errors import (
    AuthenticationFailed,
    BulkmailError,
    ConfigurationError,
    ConnectionLost,
    DialogueMisuse,
    MessageRefusedLocally,
)
from bulkmail.secret import Secret
from bulkmail.settings import Security, plain_server
from bulkmail.transport.client import SMTPClient
from bulkmail.transport.transcript import Transcript

LOOPBACK = "127.0.0.1"


class Catch:
    """Keeps what it is given; refuses gone@."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.envelopes.append(envelope)
        return "250 kept"

    def content(self) -> bytes:
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return content


@pytest.fixture
def caught() -> Catch:
    return Catch()


def authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, token: object
) -> AuthResult:
    assert isinstance(token, LoginPassword)
    return AuthResult(success=(token.login, token.password) == (b"li", b"s3cret"), handled=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
async def port(caught: Catch) -> AsyncIterator[int]:
    """A server in plaintext."""
    async for number in serve(lambda: SMTP(caught, enable_SMTPUTF8=True)):
        yield number


async def serve(
    make: Callable[[], SMTP], context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    made: list[SMTP] = []

    def remembered() -> SMTP:
        made.append(make())
        return made[-1]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(remembered, LOOPBACK, 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for protocol in made:
        if isinstance(protocol.transport, asyncio.WriteTransport):
            protocol.transport.abort()
    await server.wait_closed()


def message(**headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "人事 <hr@example.com>"
    made["To"] = "Li Wei <li@example.com>"
    made["Subject"] = "录用通知书"
    for name, value in headers.items():
        made[name] = value
    made.set_content("你好\n.\n..\n")
    return made


def plain(port: int, **settings: object) -> SMTPClient:
    return SMTPClient(LOOPBACK, port, "none", local_hostname="me.example", **settings)  # type: ignore[arg-type]  # the test's own keywords


async def test_a_message_goes_to_all_it_names_and_bcc_does_not_go_out(
    port: int, caught: Catch
) -> None:
    async with plain(port) as client:
        result = await client.send_message(message(Cc="b@example.com", Bcc="c@example.com"))

    assert result.is_accepted
    assert caught.envelopes[0].mail_from == "hr@example.com"
    assert caught.envelopes[0].rcpt_tos == ["li@example.com", "b@example.com", "c@example.com"]
    parsed = BytesParser(policy=SMTP_POLICY).parsebytes(caught.content())
    assert parsed["Subject"] == "录用通知书"
    assert parsed["Bcc"] is None
    assert isinstance(parsed, EmailMessage)
    assert parsed.get_content() == "你好\n.\n..\n"


async def test_the_message_itself_is_left_as_it_was(port: int) -> None:
    given = message(Bcc="c@example.com")

    async with plain(port) as client:
        await client.send_message(given)

    assert given["Bcc"] == "c@example.com"


async def test_content_is_made_7_bit_clean(port: int, caught: Catch) -> None:
    given = message()
    del given["Content-Transfer-Encoding"]
    given.set_content("é" * 10, cte="8bit")

    async with plain(port) as client:
        await client.send_message(given)

    assert caught.content().isascii()


async def test_sender_and_recipients_may_be_given(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        await client.send_message(message(), "bounces@example.com", ["x@例子.example"])

    assert caught.envelopes[0].mail_from == "bounces@example.com"
    assert caught.envelopes[0].rcpt_tos == ["x@xn--fsqu00a.example"]


async def test_one_recipient_may_be_a_string(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        await client.send_message(message(), recipients="x@example.com")

    assert caught.envelopes[0].rcpt_tos == ["x@example.com"]


async def test_sender_goes_before_from(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        await client.send_message(message(Sender="office@example.com"))

    assert caught.envelopes[0].mail_from == "office@example.com"


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"Subject: x\n\nhello", b"Subject: x\r\n\r\nhello\r\n"),
        (b"Subject: x\r\n\r\n.\r\n..\r\n.a", b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n"),
        (b"Subject: x\n\n\xc3\xa9\n", b"Subject: x\r\n\r\n\xc3\xa9\r\n"),
        (b"", b"\r\n"),
    ],
)
async def test_line_ends_and_dots_are_the_client_s_business(
    port: int, caught: Catch, content: bytes, wire: bytes
) -> None:
    async with plain(port) as client:
        result = await client.sendmail("a@example.com", "b@example.com", content)

    assert result.is_accepted
    assert caught.content() == wire


async def test_whoever_is_accepted_gets_it(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        result = await client.sendmail(
            "", ["gone@example.com", "here@example.com"], b"Subject: x\n\nhello\n"
        )

    assert result.is_accepted
    assert set(result.refused) == {"gone@example.com"}
    assert caught.envelopes[0].rcpt_tos == ["here@example.com"]


async def test_a_refusal_is_a_value_and_the_session_outlives_it(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        refused = await client.sendmail("a@example.com", ["gone@example.com"], b"x")
        accepted = await client.sendmail("a@example.com", ["here@example.com"], b"x")

    assert not refused.is_accepted
    assert accepted.is_accepted
    assert len(caught.envelopes) == 1


async def test_an_address_beyond_ascii_uses_smtputf8(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        result = await client.send_message(message(), recipients=["用户@example.com"])

    assert result.is_accepted
    assert caught.envelopes[0].smtp_utf8


@pytest.mark.parametrize(
    "address", ["", "a b@example.com", "a@example.com>\r\nDATA", "a\0@example.com", "nobody"]
)
async def test_what_is_no_address_never_reaches_the_wire(
    port: int, caught: Catch, address: str
) -> None:
    lines: list[str] = []
    async with plain(port, transcript=Transcript(lines.append)) as client:
        with pytest.raises(MessageRefusedLocally):
            await client.sendmail("a@example.com", ["b@example.com", address], b"x")
        with pytest.raises(MessageRefusedLocally):
            await client.sendmail(address or "nobody", ["b@example.com"], b"x")
        with pytest.raises(MessageRefusedLocally):
            await client.sendmail("a@example.com", [], b"x")

    assert not any(line.startswith("C: MAIL") for line in lines)


async def test_content_that_is_no_bytes_is_refused_in_words(port: int, caught: Catch) -> None:
    content: Any = "Subject: x\n\ntext"
    async with plain(port) as client:
        with pytest.raises(MessageRefusedLocally, match=r"the content is str, .* to be bytes"):
            await client.sendmail("a@example.com", "b@example.com", content)

    assert not caught.envelopes


async def test_tasks_take_turns_on_one_client(port: int, caught: Catch) -> None:
    async with plain(port) as client:
        results = await asyncio.gather(
            *(client.sendmail("a@example.com", f"b{n}@example.com", b"x") for n in range(5)),
            client.noop(),
            client.vrfy("li"),
        )

    assert len(caught.envelopes) == 5
    assert len(results) == 7


async def test_a_broken_session_says_so_each_time(port: int) -> None:
    async with plain(port) as client:
        client._session.abort()  # as a lost connection does
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="is over"):
                await client.noop()


async def test_a_client_works_inside_its_context_only(port: int) -> None:
    client = plain(port)
    with pytest.raises(DialogueMisuse, match="async with"):
        await client.noop()

    async with client:
        with pytest.raises(DialogueMisuse, match="open already"):
            await client.__aenter__()

    async with client:
        assert (await client.noop()).code == 250


@pytest.mark.parametrize("mechanism", ["auto", "login"])
async def test_starttls_and_login(
    caught: Catch, tls: ssl.SSLContext, ca_file: Path, mechanism: str
) -> None:
    def make() -> SMTP:
        return SMTP(caught, tls_context=tls, require_starttls=True, authenticator=authenticate)

    async for port in serve(make):
        async with SMTPClient(
            LOOPBACK, port, username="li", password="s3cret", ca_file=ca_file, auth=mechanism
        ) as client:
            result = await client.send_message(message())
            facts = client.tls

    assert result.is_accepted
    assert facts is not None
    assert facts.is_verified


async def test_a_refused_login_never_shows_the_password(
    caught: Catch, tls: ssl.SSLContext, ca_file: Path
) -> None:
    lines: list[str] = []
    async for port in serve(
        lambda: SMTP(caught, authenticator=authenticate, auth_require_tls=False), tls
    ):
        client = SMTPClient(
            LOOPBACK,
            port,
            "tls",
            username="li",
            password=Secret("wr0ng-w0rd"),
            ca_file=str(ca_file),
            transcript=Transcript(lines.append),
        )
        with pytest.raises(AuthenticationFailed, match="535") as failure:
            async with client:
                pass

    assert isinstance(failure.value, BulkmailError)
    assert "wr0ng-w0rd" not in f"{failure.value!r} {client!r} {vars(client)} {lines}"


@pytest.mark.parametrize(
    ("given", "port", "security"),
    [
        ({}, 587, Security.STARTTLS),
        ({"security": "tls"}, 465, Security.TLS),
        ({"port": 465}, 465, Security.TLS),
        ({"port": 25}, 25, Security.OPPORTUNISTIC),
        ({"port": 2525}, 2525, Security.STARTTLS),
        ({"port": 25, "security": "none"}, 25, Security.NONE),
    ],
)
def test_port_and_security_imply_one_another(
    given: dict[str, object], port: int, security: Security
) -> None:
    client = SMTPClient("mx.example", **given)  # type: ignore[arg-type]  # the test's own keywords

    assert repr(client) == f"<SMTPClient mx.example:{port} {security.value}>"


def test_security_follows_the_port_as_in_a_campaign() -> None:
    assert plain_server(None, None) == (587, Security.STARTTLS)
    assert plain_server(None, Security.TLS) == (465, Security.TLS)
    assert plain_server(465, None) == (465, Security.TLS)
    assert plain_server(25, None) == (25, Security.OPPORTUNISTIC)


def test_an_unknown_security_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="security: 'ssl' is none of tls, starttls"):
        SMTPClient("mx.example", security="ssl")


def test_the_client_costs_neither_pydantic_nor_yaml() -> None:
    script = (
        "import sys, bulkmail.transport.client; "
        "print([m for m in ('pydantic', 'yaml', 'jinja2') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
