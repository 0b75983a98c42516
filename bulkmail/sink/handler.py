"""What the sink answers: takes everything, keeps it, and lets one user in."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, TLSSetupException
from aiosmtpd.smtp import auth_mechanism as named

from bulkmail.clock import Clock
from bulkmail.errors import AuthenticationFailed
from bulkmail.sink.kept import Kept, KeptFolder
from bulkmail.sink.scram import ScramExchange, ScramKeys
from bulkmail.sink.settings import SinkSettings
from bulkmail.smtp.saslprep import saslprep

_LOG = logging.getLogger(__name__)

SCRAM = "SCRAM-SHA-256"

_WELCOME = "235 2.7.0 welcome"
_REFUSED = "535 5.7.8 wrong user name or password"


class Handler:
    """The hooks of all connections; aiosmtpd finds them by their names."""

    def __init__(
        self,
        settings: SinkSettings,
        folder: KeptFolder,
        *,
        clock: Clock,
        executor: Executor,
        on_kept: Callable[[Kept], None],
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._executor = executor
        self._on_kept = on_kept
        self._scram = _scram(settings)

    @property
    def unavailable(self) -> tuple[str, ...]:
        """Mechanisms not to offer: SCRAM cannot carry every password."""
        return (SCRAM,) if self._scram is None else ()

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """The extensions, from the list that aiosmtpd proposes."""
        del server, envelope
        session.host_name = hostname
        offered = [
            line
            for line in responses[:-1]
            if self._settings.username is not None or not line.startswith("250-AUTH")
        ]
        # aiosmtpd reads one line after the other from its buffer, so pipelining (RFC 2920) works.
        return [*offered, "250-PIPELINING", "250-ENHANCEDSTATUSCODES", "250 HELP"]

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Any sender is welcome; the null one comes as ``<>``."""
        del server, session
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Any recipient is, but nobody."""
        del server, session
        if address == "<>":
            return "553 5.1.3 a recipient needs an address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the message; 452 where the disk does not take it."""
        del server, session
        try:
            kept = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._keep, envelope
            )
        except OSError as error:
            return f"452 4.3.1 cannot be kept: {error.strerror or error}"
        self._on_kept(kept)
        return f"250 2.0.0 kept as {kept.path}"

    async def handle_RSET(self, *_: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Done already."""
        return "250 2.0.0 ok"

    async def handle_NOOP(self, *_: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Nothing to do."""
        return "250 2.0.0 ok"

    async def handle_VRFY(self, *_: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """RFC 5321, 3.5.3: neither yes nor no."""
        return "252 2.5.0 everybody is taken here"

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Goodbye."""
        return "221 2.0.0 bye"

    async def handle_exception(self, error: Exception) -> str:
        """A handshake that failed is the client's choice; anything else is a fault of ours."""
        if isinstance(error, TLSSetupException):
            _LOG.info("TLS: %s", error.__cause__)
            return ""
        _LOG.error("a fault in the sink", exc_info=error)
        return f"451 4.3.0 a fault in the sink: {type(error).__name__}"

    def authenticate(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        login: LoginPassword,
    ) -> AuthResult:
        """Judge the user name and password of PLAIN and LOGIN."""
        del server, session, envelope, mechanism
        username, password = self._settings.username, self._settings.password
        is_good = (
            username is not None
            and password is not None
            and hmac.compare_digest(login.login, _octets(username))
            and hmac.compare_digest(login.password, _octets(password.reveal()))
        )
        return self._verdict(is_good=is_good)

    @named(SCRAM)
    async def auth_scram_sha_256(self, server: SMTP, args: list[str]) -> AuthResult:
        """SCRAM-SHA-256; the server's signature goes as a last challenge (RFC 4954, 4)."""
        if self._scram is None:
            return self._verdict(is_good=False)
        exchange = ScramExchange(*self._scram, secrets.token_urlsafe(18))
        message = await self._initial(server, args)
        for answer in (exchange.first, exchange.final):
            if not isinstance(message, bytes):
                # Cancelled with "*", or not base64: answered already.
                return AuthResult(success=False, handled=True)
            challenge = answer(message)
            if challenge is None:
                return self._verdict(is_good=False)
            message = await server.challenge_auth(challenge)
        if not isinstance(message, bytes):
            return AuthResult(success=False, handled=True)
        return self._verdict(is_good=message == b"")

    async def _initial(self, server: SMTP, args: list[str]) -> Any:
        if len(args) == 1:
            return await server.challenge_auth("")
        try:
            return b64decode(args[1], validate=True)
        except ValueError:
            await server.push("501 5.5.2 Can't decode base64")
            return None

    def _verdict(self, *, is_good: bool) -> AuthResult:
        message = _WELCOME if is_good else _REFUSED
        return AuthResult(success=is_good, handled=False, message=message)

    def _keep(self, envelope: Envelope) -> Kept:
        sender = envelope.mail_from or ""
        return self._folder.keep(
            envelope.original_content or b"",
            reverse_path="" if sender == "<>" else sender,
            forward_paths=envelope.rcpt_tos,
            at=self._clock.time(),
        )


def _octets(text: str) -> bytes:
    # What the environment holds and is not UTF-8 comes as lone surrogates.
    return text.encode(errors="surrogateescape")


def _scram(settings: SinkSettings) -> tuple[str, ScramKeys] | None:
    """User name and keys, once a sink and not once a login: they take milliseconds."""
    if settings.username is None or settings.password is None:
        return None
    try:
        keys = ScramKeys.derive(settings.password, secrets.token_bytes(16))
        return saslprep(settings.username, "user name"), keys
    except AuthenticationFailed:
        return None
