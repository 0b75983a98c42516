"""The probe: what a server is, asked up to and without MAIL.

Whatever step fails, what was learned before it is in the report; nothing is raised for a server
that is not as one would like.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from bulkmail.clock import Clock
from bulkmail.errors import AuthenticationFailed, SessionError
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.extensions import Extensions
from bulkmail.transport.certificate import Certificate, parse_certificate
from bulkmail.transport.opening import Connect, Opening
from bulkmail.transport.password import Password
from bulkmail.transport.stream import SmtpStream
from bulkmail.transport.tls import TlsFacts
from bulkmail.transport.transcript import Transcript
from bulkmail.value_class import value_class

#: Where notes begin behind a server's line.
_COLUMN = 32
_MEBIBYTE = 1024 * 1024
_SIZE = re.compile(r"S: 250[ -]SIZE ([0-9]{1,15})", re.IGNORECASE)


@value_class(kw_only=True)
class ProbeReport:
    """What a probe found; fields are None where it did not come that far."""

    #: ``host:port``.
    host: str
    #: The server's IP address; "" without a connection.
    address: str
    #: Milliseconds to the connection.
    connect_ms: float | None
    #: The first line of the greeting.
    greeting: str | None
    #: As offered last: under TLS, where there is TLS.
    extensions: Extensions | None
    tls_version: str | None
    cipher: str | None
    certificate: Certificate | None
    #: Whether the certificate was verified.
    is_verified: bool
    #: Whole days to the certificate's end.
    days_left: int | None
    #: The mechanism that logged in; None where none did, or none was asked for.
    login: str | None
    #: What ended the probe early.
    error: SessionError | None
    #: What it comes to, in sentences for a person.
    verdict: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether everything that was asked for worked."""
        return self.error is None


async def probe(
    settings: ServerSettings,
    *,
    clock: Clock,
    tell: Callable[[str], None],
    connect: Connect = SmtpStream.connect,
) -> ProbeReport:
    """Hold the dialogue with a server, each line told as it comes; then QUIT.

    Logs in where `settings` name a user. Raises no `SessionError`: it is in the report.
    """
    opening = Opening(
        settings,
        clock=clock,
        password=Password(settings),
        transcript=Transcript(lambda line: tell(_annotated(line))),
        connect=connect,
        describe=lambda tls: describe_tls(tls, clock.time()),
    )
    error: SessionError | None = None
    try:
        conversation = await opening.run()
    except SessionError as found:
        error = found
    else:
        await conversation.quit()
    report = _report(settings, opening, error, clock.time())
    return replace(report, verdict=tuple(_verdict(settings, report)))


def describe_tls(tls: TlsFacts, now: float) -> str:
    """``TLS 1.3, TLS_AES_256_GCM_SHA384; certificate mail.example.com, …, 61 days left ✓``."""
    handshake = f"{tls.version.replace('TLSv', 'TLS ')}, {tls.cipher}"
    certificate = parse_certificate(tls.certificate)
    if certificate is None:
        return f"{handshake}; no certificate that can be read"
    seal = "✓" if tls.is_verified else "(not verified)"
    days = certificate.days_left(now)
    return (
        f"{handshake}; certificate {certificate.subject}, {certificate.issuer}, "
        f"{days} day{'' if days == 1 else 's'} left {seal}"
    )


def _annotated(line: str) -> str:
    match = _SIZE.match(line)
    if match is None or int(match[1]) == 0:
        return line
    return f"{line:<{_COLUMN}} {int(match[1]) / _MEBIBYTE:.0f} MiB a message"


def _report(
    settings: ServerSettings, opening: Opening, error: SessionError | None, now: float
) -> ProbeReport:
    facts, tls = opening.facts, opening.facts.tls
    certificate = None if tls is None else parse_certificate(tls.certificate)
    return ProbeReport(
        host=f"{settings.host}:{settings.port}",
        address=facts.address,
        connect_ms=facts.connect_seconds * 1000 if facts.address else None,
        greeting=None if facts.greeting is None else facts.greeting.lines[0],
        extensions=facts.extensions,
        tls_version=None if tls is None else tls.version,
        cipher=None if tls is None else tls.cipher,
        certificate=certificate,
        is_verified=tls is not None and tls.is_verified,
        days_left=None if certificate is None else certificate.days_left(now),
        login=facts.mechanism,
        error=error,
        verdict=(),
    )


def _verdict(settings: ServerSettings, report: ProbeReport) -> list[str]:
    sentences = []
    if report.error is not None:
        sentences.append(f"{report.error}.".replace("..", "."))
        if isinstance(report.error, AuthenticationFailed) and report.error.hint:
            sentences.append(report.error.hint)
    elif settings.username is None and report.extensions is not None and report.extensions.auth:
        sentences.append(
            f"It offers a login ({', '.join(report.extensions.auth)}); none was tried."
        )
    if report.extensions is not None:
        sentences.append(_abilities(report.extensions, is_good=report.is_good))
    if report.extensions is not None and report.tls_version is None:
        sentences.append(_plaintext(settings, report.extensions))
    return sentences


def _abilities(extensions: Extensions, *, is_good: bool) -> str:
    abilities = [
        "one round trip a message (PIPELINING)"
        if extensions.pipelining
        else "four round trips a message (no PIPELINING)",
        "several messages ahead by BDAT (CHUNKING)" if extensions.chunking else "no BDAT",
        "addresses beyond ASCII (SMTPUTF8)"
        if extensions.smtputf8
        else "7-bit addresses only (no SMTPUTF8)",
    ]
    return f"This server {'would do' if is_good else 'offers'}: {'; '.join(abilities)}."


def _plaintext(settings: ServerSettings, extensions: Extensions) -> str:
    if extensions.starttls and settings.security is Security.NONE:
        return "The connection was not encrypted, though STARTTLS is offered."
    return "The connection was not encrypted."
