"""The session: one connection to a server, greeting to QUIT, and the transactions on it.

With PIPELINING a message for one recipient is two round trips: MAIL, RCPT and DATA in one write,
then the content with the final dot. Where there are more recipients, DATA waits for every reply to
RCPT: a lone dot to take a DATA back, when the row's own address was refused, would mail the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from bulkmail.clock import Clock
from bulkmail.errors import AuthenticationFailed, SessionError
from bulkmail.message.mail_object import MailObject
from bulkmail.secret import Secret
from bulkmail.settings import ServerSettings
from bulkmail.smtp.commands import Command, Data, Noop, Rset, Vrfy
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.states import State
from bulkmail.smtp.transaction import TransactionResult, opening
from bulkmail.smtp.transparency import stuff
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.opening import Connect, Facts, Opening
from bulkmail.transport.password import Password
from bulkmail.transport.stream import SmtpStream
from bulkmail.transport.tls import TlsFacts
from bulkmail.transport.transaction_replies import TransactionReplies
from bulkmail.transport.transcript import Transcript

#: Awaited before the end of data goes out; what it raises is passed on, and nothing is sent.
Mark = Callable[[], Awaitable[None]]

_MAIL_AND_ONE_RCPT = 2


class Session:
    """A connection in READY. One transaction or command at a time."""

    def __init__(self, conversation: Conversation, facts: Facts, opened_at: float) -> None:
        self._conversation = conversation
        self._facts = facts
        #: By `Clock.monotonic`.
        self.opened_at = opened_at
        #: Transactions begun.
        self.transactions = 0

    @classmethod
    async def open(
        cls,
        settings: ServerSettings,
        *,
        clock: Clock,
        transcript: Transcript | None = None,
        password: Password | None = None,
        connect: Connect = SmtpStream.connect,
    ) -> Session:
        """Connect, greet, secure and log in, as far as `settings` ask for it.

        `password` is shared by the sessions of one server, so that a command runs once; without it
        this session reads its own. A login that is refused is tried once more, on a connection of
        its own, where the source has another password by then. Raises `SessionError`; nothing is
        left open then, nor on a cancellation.
        """
        password = password or Password(settings)
        make = partial(
            Opening,
            settings,
            clock=clock,
            password=password,
            transcript=transcript,
            connect=connect,
        )
        way = make()
        try:
            conversation = await way.run()
        except AuthenticationFailed as refusal:
            if not await _is_worth_another(refusal, password, way.tried):
                raise
            way = make()
            conversation = await way.run()
        return cls(conversation, way.facts, clock.monotonic())

    def __repr__(self) -> str:
        state = self._conversation.dialogue.state.value
        return f"<Session {self.host} | {self.transactions} transactions, {state}>"

    @property
    def host(self) -> str:
        """``host:port`` of the server."""
        return self._conversation.host

    @property
    def extensions(self) -> Extensions:
        """What the server offers."""
        return self._conversation.dialogue.extensions

    @property
    def tls(self) -> TlsFacts | None:
        """The handshake's facts; None in plaintext."""
        return self._facts.tls

    @property
    def mechanism(self) -> str | None:
        """The SASL mechanism that logged in; None without a login."""
        return self._facts.mechanism

    @property
    def is_reusable(self) -> bool:
        """Whether it is in READY, owes no reply, holds no stray byte, and its connection stands."""
        return self._conversation.is_idle

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        is_8bit: bool = False,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
    ) -> TransactionResult:
        """Run one transaction.

        Refusals are in the result; the session outlives them. Where the first recipient is
        refused nobody gets the message, unless `first_decides` is false: then whoever was accepted
        does. `check` is called just before MAIL goes out, and nothing is said where it raises.
        `mark` is awaited when the server waits for the content, before any of it goes out.

        Raises `SessionError` when the session ended under way: its `stage` is ``end of data`` if
        and only if the final dot may have gone out (in doubt); `MessageRefusedLocally` when this
        server cannot take the message and nothing was sent. What `mark` raises is passed on, the
        connection being cut first, as it is on a cancellation.
        """
        envelope = opening(
            mail.envelope, size=mail.size, extensions=self.extensions, is_8bit=is_8bit
        )
        replies = TransactionReplies(first_decides=first_decides)
        if check is not None:
            check()
        self.transactions += 1
        try:
            await self._ask_for_content(replies, envelope)
            if replies.is_awaited:
                replies.end_of_data = await self._give(mail, mark)
            else:
                await self._take_back(replies)
        except SessionError:
            if not replies.is_decided:
                raise
        return replies.result()

    async def verify(self, name: str) -> Reply:
        """VRFY: most servers answer 252, which says nothing. Raises as `send` does."""
        return await self._conversation.exchange(Vrfy(name))

    async def noop(self) -> Reply:
        """NOOP. Raises `SessionError`."""
        return await self._conversation.exchange(Noop())

    async def reset(self) -> Reply:
        """RSET: forget a transaction that was begun. Raises `SessionError`."""
        return await self._conversation.exchange(Rset())

    async def quit(self) -> None:
        """Take leave and close, within seconds. Raises no `SessionError`."""
        await self._conversation.quit()

    def abort(self) -> None:
        """Cut the connection at once; harmless where it is closed already."""
        self._conversation.abort("it was cut off")

    async def _ask_for_content(
        self, replies: TransactionReplies, envelope: tuple[Command, ...]
    ) -> None:
        """From MAIL to the reply to DATA, in as few round trips as is safe."""
        if self.extensions.pipelining and len(envelope) == _MAIL_AND_ONE_RCPT:
            await self._ask(replies, *envelope, Data())
            return
        await self._ask(replies, *envelope)
        if replies.has_takers:
            await self._ask(replies, Data())

    async def _ask(self, replies: TransactionReplies, *commands: Command) -> None:
        """Say `commands` in one group, or one by one until one decides; hear the replies."""
        at_once = len(commands) if self.extensions.pipelining else 1
        for start in range(0, len(commands), at_once):
            group = commands[start : start + at_once]
            self._conversation.say(*group)
            for _ in group:
                exchange = await self._conversation.hear()
                replies.take(exchange)
                if exchange.reply.is_closing:
                    return
            if replies.is_decided:
                return

    async def _give(self, mail: MailObject, mark: Mark) -> Reply:
        """Mark, then content and final dot; the reply to it."""
        self._conversation.open_content()
        try:
            await mark()
        except BaseException:
            # The server waits for content: whatever we said now would be some.
            self._conversation.abort("a message was held back after DATA")
            raise
        chunks: Iterable[bytes] = mail.chunks
        if mail.has_dot_line is not False:
            chunks = stuff(chunks)
        return await self._conversation.pour(chunks, mail.size)

    async def _take_back(self, replies: TransactionReplies) -> None:
        """Leave a transaction that is not to be completed, so that the next one may begin."""
        state = self._conversation.dialogue.state
        if state is State.EXPECT_CONTENT and replies.is_anybody_taken:
            # MAIL was refused, RCPT taken and 354 given: a lone dot would mail an empty message.
            self._conversation.abort("the server took DATA behind a refused MAIL")
        elif state is State.EXPECT_CONTENT:
            # RFC 2920, 3.1: DATA may be accepted though every RCPT was refused. A lone dot, and
            # whatever is said to it, the result is the refusal.
            self._conversation.open_content()
            await self._conversation.pour((), 0)
        elif state in (State.MAIL_GIVEN, State.RCPT_GIVEN):
            await self.reset()


async def _is_worth_another(
    refusal: AuthenticationFailed, password: Password, tried: Secret | None
) -> bool:
    is_refused = refusal.code is not None and not refusal.is_transient
    return is_refused and tried is not None and await password.renew(tried)
