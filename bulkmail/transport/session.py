"""The session: one connection to a server, greeting to QUIT, and the transactions on it.

With PIPELINING a message for one recipient is one round trip: the content and its final dot go out
together with the next message's MAIL, RCPT and DATA. Where there are more recipients, DATA waits
for every reply to RCPT: a lone dot to take a DATA back, when the row's own address was refused,
would mail the others. Where CHUNKING is offered as well, whole messages may go ahead (`Window`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import methodcaller

from bulkmail.clock import Clock
from bulkmail.errors import AuthenticationFailed, MessageRefusedLocally, SessionError
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import ServerSettings
from bulkmail.smtp.commands import Noop, Rset, Vrfy
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.content import Group
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.opening import Connect, Facts, Opening
from bulkmail.transport.password import Password
from bulkmail.transport.session_ahead import SessionAhead
from bulkmail.transport.stream import SmtpStream
from bulkmail.transport.tls import TlsFacts
from bulkmail.transport.transacting import Mark, Meanwhile, ask_for_content, give, take_back
from bulkmail.transport.transaction import Transaction, transaction_for
from bulkmail.transport.transcript import Transcript
from bulkmail.transport.trust import Level, Trust

# Members by these names: through their class, each look takes as long as a call.
_, _GROUP, _GLUE, _ = Level
_encoded = methodcaller("encode")


def _always() -> bool:
    """Nobody has anything against it."""
    return True


class Session(SessionAhead):
    """A connection in READY. One transaction or command at a time."""

    def __init__(
        self,
        conversation: Conversation,
        facts: Facts,
        opened_at: float,
        *,
        trust: Trust,
        window: int,
    ) -> None:
        super().__init__(conversation, trust, window)
        self._facts = facts
        trust.meets(conversation.dialogue.extensions)
        #: The transaction whose envelope went out behind the last final dot.
        self._ahead: Transaction | None = None
        #: By `Clock.monotonic`.
        self.opened_at = opened_at

    @classmethod
    async def open(
        cls,
        settings: ServerSettings,
        *,
        clock: Clock,
        transcript: Transcript | None = None,
        password: Password | None = None,
        trust: Trust | None = None,
        connect: Connect = SmtpStream.connect,
    ) -> Session:
        """Connect, greet, secure and log in, as far as `settings` ask for it.

        `password` is shared by the sessions of one server, so that a command runs once; without it
        this session reads its own. `trust` is shared likewise: what one session learns of the
        server's pipelining holds for all. A login that is refused is tried once more, on a
        connection of its own, where the source has another password by then. Raises
        `SessionError`; nothing is left open then, nor on a cancellation.
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
        except AuthenticationFailed:
            if not way.may_log_in_again:
                raise
            way = make(is_last_login=True)
            conversation = await way.run()
        return cls(
            conversation,
            way.facts,
            clock.monotonic(),
            trust=trust or Trust(),
            window=settings.window,
        )

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
    def tls_version(self) -> str | None:
        """``TLSv1.3``; None in plaintext."""
        return None if self._facts.tls is None else self._facts.tls.version

    @property
    def mechanism(self) -> str | None:
        """The SASL mechanism that logged in; None without a login."""
        return self._facts.mechanism

    @property
    def ahead(self) -> MailObject | None:
        """The message whose envelope is out already: the next one to `send`; None: there is none.

        A session that is to end before it is sent has to be cut, and nothing is lost.
        """
        return None if self._ahead is None else self._ahead.mail

    @property
    def takes_followers(self) -> bool:
        """Whether a message's envelope may ride behind another's final dot."""
        return self.extensions.pipelining and self._trust.level >= _GLUE

    @property
    def is_reusable(self) -> bool:
        """Whether it is in READY, owes no reply, holds no stray byte, and its connection stands."""
        return self._window.is_empty and self._conversation.is_idle

    async def send(
        self,
        mail: MailObject,
        mark: Mark | None,
        *,
        is_8bit: bool = False,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] = _always,
        meanwhile: Meanwhile | None = None,
    ) -> TransactionResult:
        """Run one transaction, or go on with the one that is `ahead`.

        Refusals are in the result; the session outlives them. Where the first recipient is
        refused nobody gets the message, unless `first_decides` is false: then whoever was accepted
        does. `check` is called just before MAIL goes out, and nothing is said where it raises.
        `mark` is awaited when the server waits for the content, before the end of that goes out: of
        what is longer than a block the last one is held back for it. None: no record is kept.

        The envelope of `follower` rides behind this message's final dot where the server can do
        that, and `may_follow`, asked at that moment, lets it. It is `ahead` then and has to be sent
        next; nobody gets it before, whatever becomes of the session.

        `meanwhile` is awaited once the final dot was handed over: for the reply nobody waits then,
        and the time of the server's trip is of use. Where it raises the session is cut.

        Raises `SessionError` when the session ended under way: its `stage` is ``end of data`` if
        and only if the final dot may have gone out (in doubt); `MessageRefusedLocally` when this
        server cannot take the message and nothing was sent. What `mark` raises is passed on, the
        connection being cut first, as it is on a cancellation.
        """
        transaction, self._ahead = self._ahead, None
        if transaction is None or transaction.mail is not mail:
            transaction = transaction_for(
                mail,
                self.extensions,
                min(self._trust.level, _GROUP),
                is_8bit=is_8bit,
                first_decides=first_decides,
            )
            if check is not None:
                check()
            self.transactions += 1
        conversation, replies = self._conversation, transaction.replies
        try:
            # What rode behind an end of data has its replies with that one's.
            is_open = transaction.is_said and transaction.take_well(conversation.heard)
            if not is_open:
                await ask_for_content(conversation, transaction)
            if is_open or replies.is_awaited:
                behind = partial(self._glue, transaction, follower, may_follow)
                replies.end_of_data = await give(conversation, transaction, mark, behind, meanwhile)
            else:
                await take_back(conversation, transaction)
        except SessionError as error:
            level = self._level_of(transaction)
            self._ahead = None
            if self._trust.broke(level, error):
                self._conversation.note("it breaks on PIPELINING: one command at a time from now")
            if not replies.is_decided:
                raise transaction.own(error) from error
        if (end := replies.end_of_data) is not None:
            self._trust.answered_data(end)
            if end.is_positive:
                self._trust.kept(transaction.level)
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

    def _level_of(self, transaction: Transaction) -> Level:
        """How far ahead the server was spoken to when it broke."""
        return transaction.level if self._ahead is None else self._ahead.level

    def _glue(
        self, first: Transaction, follower: MailObject | None, may_follow: Callable[[], bool]
    ) -> Group | None:
        """What rides behind the first one's final dot, if anything does."""
        is_able = first.level >= _GROUP and self._trust.level >= _GLUE
        # Of who was refused beside the first a split makes transactions of their own, on a session
        # that has to be free for them.
        if follower is None or not is_able or first.replies.has_refused:
            return None
        try:
            transaction = transaction_for(follower, self.extensions, _GLUE)
            lines = list(map(_encoded, transaction.group))
        except MessageRefusedLocally:
            return None
        if not may_follow():
            return None
        transaction.is_said = True
        self._ahead = transaction
        self.transactions += 1
        return transaction.group, lines
