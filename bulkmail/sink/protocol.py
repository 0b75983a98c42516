"""aiosmtpd's protocol, where it is not what the sink is to be.

- It offers AUTH where no login is wanted, and not under implicit TLS; and it warns at "login
  required, TLS not". The rule here: a login where one is set, over TLS wherever the sink has TLS.
- It knows mechanisms in capitals only (RFC 4954, 4: any case), and takes STARTTLS within TLS.
- Its own replies have no enhanced status codes (RFC 2034).
- A client that cuts the connection leaves an exception nobody asks for.

Held by it, and tested here: what came in plaintext behind STARTTLS is dropped, and session and
envelope begin anew under TLS (RFC 3207, 4.2 and 6).
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import MutableSet
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Session

from bulkmail.sink.handler import Handler
from bulkmail.sink.settings import SinkSettings

_LOG = logging.getLogger(__name__)

HOSTNAME = "sink.bulkmail"

# What RFC 3463 has for aiosmtpd's own refusals, by code. 2yz and 3yz that need one are ours.
_ENHANCED = {
    "451": "4.3.0",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "552": "5.3.4",
    "553": "5.1.3",
    "554": "5.7.0",
    "555": "5.5.4",
}
_BARE_REFUSAL = re.compile(r"([45]\d\d) (?![245]\.\d{1,3}\.\d{1,3} )(?:Error: )?(.*)", re.DOTALL)


def _enhanced(reply: str) -> str:
    """The reply, with an enhanced status code where a refusal has none."""
    bare = _BARE_REFUSAL.fullmatch(reply)
    if bare is None:
        return reply
    return f"{bare[1]} {_ENHANCED.get(bare[1], f'{bare[1][0]}.0.0')} {bare[2]}"


class _QuietSession(Session):
    """aiosmtpd writes a warning to its log each time it sets this itself."""

    login_data: Any = None


class SinkProtocol(SMTP):
    """One connection to the sink."""

    def __init__(
        self,
        settings: SinkSettings,
        handler: Handler,
        *,
        context: ssl.SSLContext | None,
        connections: MutableSet[SinkProtocol],
    ) -> None:
        self._settings = settings
        self._connections = connections
        #: Done when the dialogue has ended.
        self.ended = asyncio.Event()
        super().__init__(
            handler,
            data_size_limit=settings.max_size,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="ESMTP bulkmail sink",
            tls_context=context if settings.tls == "starttls" else None,
            auth_required=False,
            auth_require_tls=settings.tls == "starttls",
            auth_exclude_mechanism=handler.unavailable,
            authenticator=handler.authenticate,
            loop=asyncio.get_running_loop(),
        )

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._settings.tls == "tls" or self._tls_protocol is not None

    async def push(self, status: str | bytes) -> None:
        """Send one reply line."""
        if isinstance(status, str):
            await super().push(_enhanced(status))
        else:
            await super().push(status)

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Refuse a command that needs a login first."""
        if self._settings.username is None or (self.session and self.session.authenticated):
            return await super().check_auth_needed(caller_method)
        if self._settings.tls == "starttls" and not self.is_encrypted:
            await self.push("530 5.7.0 Must issue a STARTTLS command first")
        else:
            await self.push("530 5.7.0 Authentication required")
        return True

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """STARTTLS (RFC 3207), once."""
        if self.is_encrypted:
            await self.push("503 5.5.1 TLS is on already")
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """AUTH (RFC 4954)."""
        if self._settings.username is None:
            await self.push("502 5.5.1 No login is needed here")
            return
        mechanism, space, response = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + space + response)

    def _create_session(self) -> Session:
        return _QuietSession(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the dialogue; under STARTTLS this is called a second time."""
        is_new = self.transport is None
        super().connection_made(transport)
        if is_new and self._handler_coroutine is not None:
            self._connections.add(self)
            self._handler_coroutine.add_done_callback(self._dialogue_ended)

    def _dialogue_ended(self, dialogue: asyncio.Task[None]) -> None:
        self._connections.discard(self)
        self.ended.set()
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        error = None if dialogue.cancelled() else dialogue.exception()
        if error is not None and not isinstance(error, ConnectionError):
            _LOG.error("a fault in the sink", exc_info=error)

    def cut(self) -> None:
        """End the connection at once; `ended` follows."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()
        # In the middle of a TLS handshake nobody tells the dialogue that the connection is gone.
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
