"""The opening of a session: connect, greeting, EHLO, STARTTLS, login.

What is learned on the way is kept as it comes, so that a probe can tell it also where a later step
fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import TypeAlias

from bulkmail.clock import Clock
from bulkmail.errors import (
    AuthenticationFailed,
    ConnectionLost,
    PlaintextInjected,
    ServerRefused,
    SessionError,
    StageTimeout,
    TlsFailed,
)
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.commands import Ehlo, Helo, StartTls
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport.byte_stream import Stream
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.local_hostname import local_hostname
from bulkmail.transport.login import Login
from bulkmail.transport.password import Password
from bulkmail.transport.stream import SmtpStream
from bulkmail.transport.timeouts import stage_timeout
from bulkmail.transport.tls import TlsFacts, context_for, facts_of
from bulkmail.transport.transcript import Scribe, Transcript
from bulkmail.value_class import record_class

#: Where TLS begins with the first byte (RFC 8314, 7.3).
TLS_PORT = 465
#: Connects: host, port, deadline in the loop's time.
Connect: TypeAlias = Callable[[str, int, float], Awaitable[Stream]]


@record_class(kw_only=True)
class Facts:
    """What an opening has learned so far."""

    #: The server's IP address; "" before the connection.
    address: str = ""
    #: From the call to the connection.
    connect_seconds: float = 0.0
    greeting: Reply | None = None
    tls: TlsFacts | None = None
    #: As offered last: under TLS, where there is TLS.
    extensions: Extensions | None = None
    #: The SASL mechanism that logged in.
    mechanism: str | None = None


class Opening:
    """One way from nothing to a conversation in READY. Run once."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock,
        password: Password,
        transcript: Transcript | None = None,
        connect: Connect = SmtpStream.connect,
        describe: Callable[[TlsFacts], str] | None = None,
        is_last_login: bool = False,
    ) -> None:
        """`is_last_login`: where it is refused, that is final whatever the password is by then."""
        self.facts = Facts()
        #: Whether its login was refused, and there is another password by now.
        self.may_log_in_again = False
        self._settings = settings
        self._clock = clock
        self._password = password
        self._is_last_login = is_last_login
        self._transcript = transcript
        self._connect = connect
        self._describe = describe or _brief
        self._host = f"{settings.host}:{settings.port}"
        self._timeout_of = {stage: stage_timeout(settings, stage) for stage in Stage}.__getitem__

    async def run(self) -> Conversation:
        """Open. Raises `SessionError`; the connection is closed then, and on a cancellation."""
        scribe = None if self._transcript is None else self._transcript.begin()
        try:
            conversation = await self._connected(scribe)
        except BaseException:
            if scribe is not None:
                scribe.end()
            raise
        try:
            await self._prepare(conversation)
        except SessionError:
            await conversation.quit()
            raise
        except BaseException:
            conversation.abort("its opening was cut off")
            raise
        return conversation

    async def _connected(self, scribe: Scribe | None) -> Conversation:
        is_tls = self._settings.security is Security.TLS
        context = context_for(self._settings) if is_tls else None
        loop = asyncio.get_running_loop()
        started_at = self._clock.monotonic()
        host = self._settings.host.strip("[]")
        deadline = loop.time() + self._timeout_of(Stage.CONNECT)
        stream = await self._connect(host, self._settings.port, deadline)
        self.facts.address = stream.peer_address
        self.facts.connect_seconds = self._clock.monotonic() - started_at
        if scribe is not None:
            scribe.note(_arrow(self.facts, self._settings.port))
        try:
            if context is not None:
                self._refuse_plaintext(stream)
                await self._start_implicit(stream, context)
        except BaseException as error:
            stream.abort()
            if scribe is not None and isinstance(error, SessionError):
                scribe.note(str(error))
            raise
        conversation = Conversation(stream, self._host, self._timeout_of, scribe, is_tls=is_tls)
        if is_tls:
            self._note_tls(conversation)
        return conversation

    async def _start_implicit(self, stream: Stream, context: SSLContext) -> None:
        deadline = asyncio.get_running_loop().time() + self._timeout_of(Stage.TLS)
        try:
            await stream.start_tls(context, deadline)
        except StageTimeout as silence:
            message = f"{silence}; is it a port for `security: starttls`?"
            raise StageTimeout(message, host=self._host, stage=Stage.TLS) from silence

    def _refuse_plaintext(self, stream: Stream) -> None:
        """A greeting before the handshake: what is there is kept, and would count as TLS's."""
        if stream.peek():
            raise PlaintextInjected(
                f"{self._host} spoke before the TLS handshake; "
                "is it a port for `security: starttls`?",
                host=self._host,
                stage=Stage.TLS,
            )

    async def _prepare(self, conversation: Conversation) -> None:
        greeting = await self._greeting(conversation)
        self.facts.greeting = greeting
        if not greeting.is_positive:
            raise self._refused("refused the connection", greeting, Stage.GREETING)
        await self._introduce(conversation)
        await self._secure(conversation)
        await self._log_in(conversation)

    async def _greeting(self, conversation: Conversation) -> Reply:
        try:
            return (await conversation.hear()).reply
        except StageTimeout as silence:
            if self._settings.security is Security.TLS:
                raise
            message = f"{silence}: a port that speaks TLS from the start wants `security: tls`"
            raise StageTimeout(message, host=self._host, stage=Stage.GREETING) from silence
        except ConnectionLost as loss:
            is_tls = self._settings.security is Security.TLS
            if is_tls or self._settings.port != TLS_PORT or loss.code is not None:
                raise
            message = f"{loss}: port {TLS_PORT} speaks TLS from the start and wants `security: tls`"
            raise ConnectionLost(message, host=self._host, stage=Stage.GREETING) from loss

    async def _introduce(self, conversation: Conversation) -> None:
        """EHLO; where it is not known, HELO, unless an extension is needed."""
        name = self._settings.local_hostname
        if name is None:
            name = await local_hostname(conversation.stream.local_address)
        reply = await conversation.exchange(Ehlo(name))
        if reply.is_permanent and not self._needs_extensions(conversation):
            reply = await conversation.exchange(Helo(name))
        if not reply.is_positive:
            raise self._refused("refused EHLO", reply, Stage.EHLO)
        self.facts.extensions = conversation.dialogue.extensions

    def _needs_extensions(self, conversation: Conversation) -> bool:
        must_secure = self._settings.security is Security.STARTTLS
        is_tls = conversation.dialogue.is_tls
        return self._settings.username is not None or (must_secure and not is_tls)

    async def _secure(self, conversation: Conversation) -> None:
        """STARTTLS, as far as the settings ask for it and the server offers it."""
        security = self._settings.security
        if conversation.dialogue.is_tls or security is Security.NONE:
            return
        is_required = security is Security.STARTTLS
        if not conversation.dialogue.extensions.starttls:
            if is_required:
                raise self._not_offered()
            return
        context = context_for(self._settings)
        reply = await conversation.exchange(StartTls())
        if reply.is_positive:
            await conversation.start_tls(context)
            self._note_tls(conversation)
            await self._introduce(conversation)
        elif is_required or reply.is_closing:
            raise self._refused("refused STARTTLS", reply, Stage.STARTTLS)

    def _not_offered(self) -> TlsFailed:
        return TlsFailed(
            f"{self._host} does not offer STARTTLS, and nothing is sent without TLS "
            "(settings: `security: tls` on port 465; `none` only where the network is yours)",
            host=self._host,
            stage=Stage.STARTTLS,
        )

    def _note_tls(self, conversation: Conversation) -> None:
        handshake = conversation.stream.ssl_object
        if handshake is not None:
            self.facts.tls = facts_of(handshake)
            conversation.note(self._describe(self.facts.tls))

    async def _log_in(self, conversation: Conversation) -> None:
        if self._settings.username is None:
            return
        if not conversation.dialogue.is_tls and self._settings.security is not Security.NONE:
            raise AuthenticationFailed(
                f"{self._host} does not offer TLS, so the login of {self._settings.username} was "
                "not tried: credentials go in plaintext only where `security: none` is written",
                host=self._host,
                stage=Stage.AUTH,
            )
        password, clock = self._password, self._clock
        async with password.turn():
            tried = await password.current()
            began = clock.monotonic()
            try:
                self.facts.mechanism = await Login(conversation, self._settings, tried).run()
            except AuthenticationFailed as refusal:
                is_last = self._is_last_login
                self.may_log_in_again = await password.refuse(tried, refusal, is_last=is_last)
                raise
            password.accepted(clock.monotonic() - began)

    def _refused(self, what: str, reply: Reply, stage: Stage) -> ServerRefused:
        return ServerRefused(
            f"{self._host} {what}: {reply}",
            host=self._host,
            stage=stage,
            code=reply.code,
            enhanced_code=reply.enhanced_code,
            reply=reply.text,
        )


def _brief(tls: TlsFacts) -> str:
    return f"{tls.version.replace('TLSv', 'TLS ')}, {tls.cipher}"


def _arrow(facts: Facts, port: int) -> str:
    address = f"[{facts.address}]" if ":" in facts.address else facts.address
    return f"→ {address}:{port}, {facts.connect_seconds * 1000:.0f} ms"
