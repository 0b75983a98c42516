"""The probe: whatever a server does, there is a report."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
import trustme
from support.real_server import LOOPBACK, Peer, serving
from support.scripted_stream import ScriptedStream

from bulkmail.clock import SystemClock
from bulkmail.errors import AuthenticationFailed, ConnectFailed, ServerRefused, TlsFailed
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, Security, ServerSettings
from bulkmail.transport.probe import ProbeReport, probe

Probe: TypeAlias = Callable[..., Awaitable[ProbeReport]]


@pytest.fixture
def ask(script: ScriptedStream, settings: ServerSettings, lines: list[str]) -> Probe:
    async def connect(host: str, port: int, deadline: float) -> ScriptedStream:
        return script

    async def run(**changed: object) -> ProbeReport:
        return await probe(
            replace(settings, **changed),  # type: ignore[arg-type]  # the test's own keywords
            clock=SystemClock(),
            tell=lines.append,
            connect=connect,
        )

    return run


GOOD = """
    S: 220 mx.example ESMTP
    C: EHLO me.example
    S: 250-mx.example
    S: 250-PIPELINING
    S: 250-SIZE 52428800
    S: 250 AUTH PLAIN
"""
ABILITIES = (
    "This server would do: one round trip a message (PIPELINING); no BDAT; "
    "7-bit addresses only (no SMTPUTF8)."
)
LOGIN = {"username": "li", "password": PasswordSource(secret=Secret("s3cret"))}


async def test_a_good_server_is_told_line_by_line(
    script: ScriptedStream, ask: Probe, lines: list[str]
) -> None:
    script.plays(GOOD).plays("C: QUIT\nS: 221 bye")

    report = await ask()

    assert report.is_good
    assert lines[0].startswith("  → 192.0.2.25:587, ")
    assert lines[1:] == [
        "S: 220 mx.example ESMTP",
        "C: EHLO me.example",
        "S: 250-mx.example",
        "S: 250-PIPELINING",
        "S: 250-SIZE 52428800             50 MiB a message",
        "S: 250 AUTH PLAIN",
        "C: QUIT",
        "S: 221 bye",
    ]
    assert report.verdict == (
        "It offers a login (PLAIN); none was tried.",
        ABILITIES,
        "The connection was not encrypted.",
    )
    assert report.address == "192.0.2.25"
    assert report.greeting == "mx.example ESMTP"


async def test_a_login_that_works_is_in_the_report(script: ScriptedStream, ask: Probe) -> None:
    script.plays(GOOD).plays("C: AUTH PLAIN AGxpAHMzY3JldA==\nS: 235 hello\nC: QUIT\nS: 221 bye")

    report = await ask(**LOGIN)

    assert report.is_good
    assert report.login == "PLAIN"


async def test_a_refused_login_is_a_report_with_the_hint(
    script: ScriptedStream, ask: Probe, lines: list[str]
) -> None:
    script.plays(GOOD).plays("C: AUTH PLAIN AGxpAHMzY3JldA==\nS: 535 no\nC: QUIT\nS: 221 bye")

    report = await ask(password_hint="It wants an app password.", **LOGIN)

    assert isinstance(report.error, AuthenticationFailed)
    assert report.login is None
    assert report.verdict[:2] == (
        "mx.example:587 refused the login of li: 535 no (AUTH PLAIN).",
        "It wants an app password.",
    )
    assert "s3cret" not in f"{lines} {report}"
    assert report.extensions is not None


async def test_a_refused_greeting_is_a_report(script: ScriptedStream, ask: Probe) -> None:
    script.plays("S: 554 not you\nC: QUIT\nS: 221 bye")

    report = await ask()

    assert isinstance(report.error, ServerRefused)
    assert report.greeting == "not you"
    assert report.extensions is None
    assert report.verdict == ("mx.example:587 refused the connection: 554 not you.",)


async def test_starttls_that_is_offered_and_not_used_is_said(
    script: ScriptedStream, ask: Probe
) -> None:
    script.plays("S: 220 hi\nC: EHLO me.example\nS: 250-hi\nS: 250 STARTTLS\nC: QUIT\nS: 221 bye")

    report = await ask()

    assert report.verdict[-1] == "The connection was not encrypted, though STARTTLS is offered."


async def test_no_connection_is_a_report(settings: ServerSettings, lines: list[str]) -> None:
    async def refuse(host: str, port: int, deadline: float) -> ScriptedStream:
        raise ConnectFailed("cannot connect to mx.example:587: Connection refused")

    report = await probe(settings, clock=SystemClock(), tell=lines.append, connect=refuse)

    assert not report.is_good
    assert report.connect_ms is None
    assert report.verdict == ("cannot connect to mx.example:587: Connection refused.",)


async def test_tls_and_certificate_are_told(tmp_path: Path, lines: list[str]) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK, common_name="mail.example.com").configure_cert(context)

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.hears()
        await peer.says("221 bye")

    settings = ServerSettings(
        name="real",
        host=LOOPBACK,
        port=0,
        security=Security.TLS,
        local_hostname="me.example",
        ca_file=tmp_path / "ca.pem",
    )
    async with serving(behave, context) as port:
        good = await probe(replace(settings, port=port), clock=SystemClock(), tell=lines.append)
        bad = await probe(
            replace(settings, port=port, ca_file=None), clock=SystemClock(), tell=lines.append
        )

    assert good.certificate is not None
    assert good.certificate.subject == "mail.example.com"
    assert good.days_left is not None
    assert good.days_left > 0
    assert any("certificate mail.example.com, trustme" in line and "✓" in line for line in lines)
    assert isinstance(bad.error, TlsFailed)
    assert bad.address == LOOPBACK
