"""The login: mechanisms tried in turn until the server says yes or no (RFC 4954).

504 and 534 speak of the mechanism, so the next one is tried; 4yz is worth another try later;
anything else, 535 above all, is a refusal and final.
"""

from __future__ import annotations

import base64
import secrets

from bulkmail.errors import AuthenticationFailed, ProtocolViolation
from bulkmail.secret import Secret
from bulkmail.settings import ServerSettings
from bulkmail.smtp.commands import Auth, AuthResponse
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.sasl import Mechanism, begin, candidates, conclude
from bulkmail.smtp.stage import Stage
from bulkmail.transport.conversation import Conversation

#: Mechanism not known, mechanism too weak (RFC 4954, 6).
_NEXT_MECHANISM = (504, 534)
#: A bare AUTH LOGIN was not understood: a few servers want the user name with it.
_SYNTAX = (500, 501, 502)
#: Their challenges are nothing to compute with: a prompt, an error for people. Some servers send
#: those as they are, and what becomes of the login is what is said after them.
_UNREAD = ("LOGIN", "XOAUTH2")
_NONCE_BYTES = 18


class Login:
    """One login on one conversation."""

    def __init__(
        self, conversation: Conversation, settings: ServerSettings, password: Secret
    ) -> None:
        self._conversation = conversation
        self._settings = settings
        self._username = settings.username or ""
        self._password = password
        #: Whether the server answered the last AUTH with a challenge.
        self._was_challenged = False

    async def run(self) -> str:
        """Log in; the mechanism that did it.

        Raises `AuthenticationFailed`, which is transient for 4yz; `ProtocolViolation` for a
        challenge that is none.
        """
        self._conversation.mask.hide(self._password.reveal())
        for name in self._candidates():
            reply = await self._try(name)
            if reply.is_positive:
                return name
            if reply.code not in _NEXT_MECHANISM:
                raise self._refused(name, reply)
        raise self._refused(name, reply)

    def _candidates(self) -> tuple[str, ...]:
        offered = self._conversation.dialogue.extensions.auth
        if not offered:
            raise self._failed(
                "offers no login: AUTH is not offered (settings: server.username, server.security)"
            )
        names = candidates(self._settings.auth, offered)
        if not names:
            raise self._failed(
                f"offers AUTH {' '.join(offered)}, and the settings allow {self._settings.auth} "
                "(settings: server.auth)"
            )
        return names

    async def _try(self, name: str) -> Reply:
        reply = await self._talk(name, self._begin(name))
        if name == "LOGIN" and reply.code in _SYNTAX and not self._was_challenged:
            reply = await self._talk(name, self._begin(name, initial_username=True))
        return reply

    def _begin(self, name: str, *, initial_username: bool = False) -> Mechanism:
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return begin(
            name, self._username, self._password, nonce=nonce, initial_username=initial_username
        )

    async def _talk(self, name: str, mechanism: Mechanism) -> Reply:
        self._conversation.mask.hides_challenges = name.startswith("SCRAM")
        try:
            initial = next(mechanism)
            secret = None if initial is None else self._encoded(initial)
            reply = await self._conversation.exchange(Auth(name, secret))
            self._was_challenged = reply.is_intermediate
            while reply.is_intermediate:
                response = mechanism.send(self._decoded(name, reply))
                reply = await self._conversation.exchange(
                    AuthResponse(self._encoded(response or b""))
                )
            if reply.is_positive:
                conclude(mechanism)
        except StopIteration:
            await self._cancel()
            raise self._failed(f"asked for more than AUTH {name} has to say") from None
        except AuthenticationFailed as error:
            await self._cancel()
            raise self._failed(f"AUTH {name}: {error}") from error
        return reply

    def _encoded(self, response: bytes) -> Secret:
        text = base64.b64encode(response).decode()
        self._conversation.mask.hide(text)
        return Secret(text)

    def _decoded(self, name: str, challenge: Reply) -> bytes:
        """What a challenge holds; padding that was left out is put back."""
        text = challenge.text.strip()
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError as error:
            if name in _UNREAD:
                return text.encode()
            host = self._conversation.host
            self._conversation.abort("a challenge was not base64")
            raise ProtocolViolation(
                f"{host} sent a challenge that is not base64 (auth)", host=host, stage=Stage.AUTH
            ) from error

    async def _cancel(self) -> None:
        """Cancel the mechanism where the server waits for more (RFC 4954, 4)."""
        if self._conversation.dialogue.is_idle:
            return
        await self._conversation.exchange(AuthResponse(Secret("*")))

    def _refused(self, name: str, reply: Reply) -> AuthenticationFailed:
        verb = "could not take" if reply.is_transient else "refused"
        return self._failed(
            f"{verb} the login of {self._username}: {reply} (AUTH {name})",
            is_transient=reply.is_transient,
            reply=reply,
        )

    def _failed(
        self, what: str, *, is_transient: bool = False, reply: Reply | None = None
    ) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"{self._conversation.host} {what}",
            is_transient=is_transient,
            hint=self._settings.password_hint,
            host=self._conversation.host,
            stage=Stage.AUTH,
            code=None if reply is None else reply.code,
            enhanced_code=None if reply is None else reply.enhanced_code,
            reply="" if reply is None else reply.text,
        )
