"""`SMTPClient`: a session for programs that have messages of their own, and no campaign."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from email.utils import getaddresses
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from bulkmail.address import wire_form
from bulkmail.clock import Clock, SystemClock
from bulkmail.errors import ConfigurationError, DialogueMisuse, Fault, MessageRefusedLocally
from bulkmail.message.mail_object import MailObject
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, Security, ServerSettings, plain_server
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.smtp.transparency import normalised
from bulkmail.transport.sending_all import Sent, needs_8bit, send_all
from bulkmail.transport.session import Session
from bulkmail.transport.tls import TlsFacts
from bulkmail.transport.transcript import Transcript

#: What content may be; made once, as each message is held against it.
_OCTETS = bytes | bytearray | memoryview
#: Senders' addresses that are remembered.
_SENDERS = 64

#: A message with its addresses in its header, or sender, recipients and content.
Letter: TypeAlias = EmailMessage | tuple[str, str | Iterable[str], bytes]


class SMTPClient:
    """One connection to a server, as an asynchronous context manager.

    A refusal is in the `TransactionResult`; a broken session raises `SessionError`, and so does
    every call after it: open a new client then. Calls of several tasks are done one after another.
    Times in seconds.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        security: Security | str | None = None,
        *,
        username: str | None = None,
        password: str | Secret | None = None,
        auth: str = "auto",
        ca_file: str | Path | None = None,
        verify: bool = True,
        timeout: float = 30.0,
        data_timeout: float = 600.0,
        local_hostname: str | None = None,
        window: int = 8,
        transcript: Transcript | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Defaults are those of a campaign's server: port 587, or 465 where `security` is ``tls``.

        `security` is ``tls``, ``starttls``, ``opportunistic`` or ``none``; by default ``tls`` on
        465, ``opportunistic`` on 25, else ``starttls``. `window`: for `send_all`, how many
        messages may be on their way at once where the server offers CHUNKING. Raises
        `ConfigurationError` for another word, or a window below 1.
        """
        if window < 1:
            raise ConfigurationError(Fault(key="window", message=f"{window} is less than 1"))
        wanted = None if security is None else _security(security)
        port, chosen = plain_server(port, wanted)
        secret = Secret(password) if isinstance(password, str) else password
        self._settings = ServerSettings(
            name=f"{host}:{port}",
            host=host,
            port=port,
            security=chosen,
            ca_file=None if ca_file is None else Path(ca_file),
            verify=verify,
            username=username,
            password=None if secret is None else PasswordSource(secret=secret),
            auth=auth,
            timeout=timeout,
            data_timeout=data_timeout,
            local_hostname=local_hostname,
            window=window,
        )
        self._clock = clock or SystemClock()
        self._transcript = transcript
        self._opened: Session | None = None
        self._turn = asyncio.Lock()

    @classmethod
    def of_server(cls, settings: ServerSettings, *, clock: Clock | None = None) -> Self:
        """A client of a server whose settings are complete: one of a campaign."""
        made = cls(settings.host, settings.port, settings.security, clock=clock)
        made._settings = settings
        return made

    def __repr__(self) -> str:
        return f"<SMTPClient {self._settings.name} {self._settings.security.value}>"

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise DialogueMisuse("this SMTPClient is open already")
        self._opened = await Session.open(
            self._settings, clock=self._clock, transcript=self._transcript
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._opened = self._opened, None
        if session is not None:
            await session.quit()

    @property
    def extensions(self) -> Extensions:
        """What the server offers."""
        return self._session.extensions

    @property
    def tls(self) -> TlsFacts | None:
        """The handshake's facts; None in plaintext."""
        return self._session.tls

    async def send_message(
        self,
        message: EmailMessage,
        sender: str | None = None,
        recipients: str | Iterable[str] | None = None,
    ) -> TransactionResult:
        """Send a message to all it names in To, Cc and Bcc, or to `recipients`.

        Bcc does not go out. `sender` is the reverse-path: by default Sender's address, or From's.
        The content is made 7-bit clean where its parts allow it. Raises as `sendmail` does.
        """
        return await self._send(_from_message(message, sender, recipients))

    async def sendmail(
        self, sender: str, recipients: str | Iterable[str], content: bytes
    ) -> TransactionResult:
        """Send `content` (header section and body) as it is, but for line ends, to `recipients`.

        Whoever the server accepts gets it: look at `is_accepted` and `refused` of the result.
        Raises `SessionError` where the session broke, of stage ``end of data`` where the message
        may have been accepted all the same; `MessageRefusedLocally` where nothing was sent: a bad
        address, or content or an address that needs an extension that is not offered.
        """
        return await self._send(_from_bytes(sender, recipients, content))

    def send_all(self, letters: Iterable[Letter]) -> AsyncGenerator[Sent, None]:
        """Send many messages ahead of their replies, and give what became of each, in order.

        A letter is an `EmailMessage`, or sender, recipients and content as for `sendmail`. Where
        the server offers CHUNKING, up to `window` messages for one recipient each are on their way
        at once; with PIPELINING alone the next one's envelope rides behind this one's end of data;
        else it is as one call after the other. Letters are taken from `letters` as they are needed.

        What broke is in `Sent.error`: of stage ``end of data`` where that message may have been
        accepted, of an earlier one where it was not. Whoever leaves early cuts the connection.
        Where letters are left when the session is over, they are not taken, and `SessionError` is
        raised at the end.
        """
        return send_all(self._taking_turns(), map(_outgoing, letters))

    async def vrfy(self, name: str) -> Reply:
        """Ask about a user or mailbox. Most servers answer 252, which says nothing."""
        async with self._taking_turns() as session:
            return await session.verify(name)

    async def noop(self) -> Reply:
        """Show the server that we are here."""
        async with self._taking_turns() as session:
            return await session.noop()

    async def _send(self, mail: MailObject) -> TransactionResult:
        async with self._taking_turns() as session:
            return await session.send(mail, None, is_8bit=needs_8bit(mail), first_decides=False)

    @property
    def _session(self) -> Session:
        if self._opened is None:
            raise DialogueMisuse("SMTPClient is used inside `async with`")
        return self._opened

    @asynccontextmanager
    async def _taking_turns(self) -> AsyncIterator[Session]:
        async with self._turn:
            yield self._session


def _outgoing(letter: Letter) -> MailObject | MessageRefusedLocally:
    """A letter's message, or why it is none."""
    try:
        if isinstance(letter, EmailMessage):
            return _from_message(letter, None, None)
        return _from_bytes(*letter)
    except MessageRefusedLocally as error:
        return error


def _from_message(
    message: EmailMessage, sender: str | None, recipients: str | Iterable[str] | None
) -> MailObject:
    if sender is None:
        named = _addresses(message, "Sender") or _addresses(message, "From")
        if not named:
            raise MessageRefusedLocally("the message has neither From nor Sender")
        sender = named[0]
    if recipients is None:
        recipients = _addresses(message, "To", "Cc", "Bcc")
    stripped = copy.copy(message)
    del stripped["Bcc"]
    envelope = _envelope(sender, recipients)
    form = policy.SMTPUTF8 if envelope.needs_smtputf8 else policy.SMTP
    try:
        content = stripped.as_bytes(policy=form.clone(cte_type="7bit"))
    except (UnicodeError, ValueError, LookupError) as error:
        raise MessageRefusedLocally(f"the message cannot be encoded: {error}") from error
    return _mail_object(envelope, content)


def _from_bytes(sender: str, recipients: str | Iterable[str], content: bytes) -> MailObject:
    return _mail_object(_envelope(sender, recipients), content)


def _mail_object(envelope: Envelope, content: bytes) -> MailObject:
    if not isinstance(content, _OCTETS):
        raise MessageRefusedLocally(
            f"the content is {type(content).__name__}, and has to be bytes, as they go out"
        )
    # What is not bytes may be changed before it leaves.
    return MailObject(envelope, (normalised(bytes(content)),), message_id="")


def _security(word: str) -> Security:
    try:
        return Security(word)
    except ValueError as error:
        known = ", ".join(member.value for member in Security)
        raise ConfigurationError(
            Fault(key="security", message=f"{word!r} is none of {known}")
        ) from error


def _envelope(sender: str, recipients: str | Iterable[str]) -> Envelope:
    paths = (_path(recipients),) if isinstance(recipients, str) else tuple(map(_path, recipients))
    if not paths:
        raise MessageRefusedLocally("the message has no recipient")
    return Envelope(_reverse_path(sender) if sender else "", paths)


def _path(address: str) -> str:
    try:
        return wire_form(address)
    except ValueError as error:
        raise MessageRefusedLocally(f"{address!r} is not an address: {error}") from error


#: Nearly all that a program sends is from the same few.
_reverse_path = lru_cache(_SENDERS)(_path)


def _addresses(message: EmailMessage, *names: str) -> list[str]:
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return [address for _, address in getaddresses(values) if address]
