"""Whole messages ahead of their replies (BDAT, RFC 3030): no round trip a message.

MAIL, RCPT and BDAT LAST of a message for one recipient go out at once, and so do those of the
messages behind it: what is posted in a row is one write. Replies are heard in their order. What is
in doubt when the session ends is exactly what has its end out and no reply to it; but a server that
says 421 takes nothing of what stands behind (RFC 5321, 3.8).
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable

from bulkmail.errors import ProtocolViolation, SessionError
from bulkmail.smtp.commands import Bdat
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.blocks import BLOCK_SIZE, Piece, with_files
from bulkmail.transport.content import Parcel, post
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.transaction import Transaction
from bulkmail.transport.trust import Level, Trust, is_out_of_step, may_know_no_bdat

# Members by these names: through their class, each look takes as long as a call.
_WINDOW = Level.WINDOW
#: Replies to one message: to MAIL, RCPT and BDAT.
_REPLIES = 3
#: Messages at once with a server that has not shown yet that it can do it.
_AT_FIRST = 2


class Window:
    """One session's messages on their way."""

    def __init__(self, conversation: Conversation, trust: Trust, size: int) -> None:
        self._conversation = conversation
        self._trust = trust
        self._size = size
        self._posted: deque[Transaction] = deque()
        #: Of those, what was not handed over yet.
        self._parcels: list[Parcel] = []
        #: Octets of those.
        self._waiting_size = 0
        #: What broke the session as something was handed over.
        self._cause: SessionError | None = None
        #: Whether the server lost the thread of them.
        self._is_lost = False

    @property
    def size(self) -> int:
        """How many messages may be on their way at once; 1: none this way; 0: it is over."""
        if self._is_lost or self._conversation.is_over:
            return 0
        offers = self._conversation.dialogue.extensions
        if not (offers.chunking and offers.pipelining) or self._trust.level < _WINDOW:
            return 1
        is_proven = self._trust.is_proven(_WINDOW)
        return self._size if is_proven else min(_AT_FIRST, self._size)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way, or about to be."""
        return not self._posted

    @property
    def is_answered(self) -> bool:
        """Whether `settle` would not wait."""
        return bool(self._posted) and self._conversation.has_heard(_REPLIES)

    async def catch_up(self) -> None:
        """Take in what has arrived: before messages are handed over behind others."""
        if self._posted:
            await self._conversation.catch_up()

    async def post(self, transaction: Transaction) -> None:
        """Hand over a whole message, by the next `flush`.

        Raises `MessageRefusedLocally`: nothing was said then. Where the session breaks here,
        `settle` tells.
        """
        mail = transaction.mail
        commands = (*transaction.envelope, Bdat(mail.size))
        content: Iterable[Piece] = mail.chunks
        if self._conversation.stream.sends_files:
            content = with_files(mail.chunks, mail.files)
        pieces = [*[command.encode() for command in commands], *content]
        parcel = Parcel(commands, pieces, sum(map(len, pieces)), transaction.open)
        if self._waiting_size + parcel.size > BLOCK_SIZE:
            await self.flush()
        self._posted.append(transaction)
        self._parcels.append(parcel)
        self._waiting_size += parcel.size

    async def flush(self) -> None:
        """Hand over what was posted and is not yet. Where the session breaks, `settle` tells."""
        if not self._parcels:
            return
        parcels, self._parcels, self._waiting_size = self._parcels, [], 0
        try:
            await post(self._conversation, parcels)
        except SessionError as error:
            self._cause = self._cause or error

    async def settle(self) -> TransactionResult:
        """The result of the oldest message. Raises `SessionError`, its stage being this message's.

        That is ``end of data`` where it may have been taken, else ``mail``: it was not begun. All
        that a server says is heard, also where it has lost the thread: it may have taken the
        content all the same.
        """
        await self.flush()
        transaction = self._posted.popleft()
        replies = transaction.replies
        try:
            await self._hear(transaction)
        except SessionError as end:
            error = self._cause or end
            if self._trust.broke(_WINDOW, error):
                self._conversation.note("it breaks on messages sent ahead (BDAT): no more of that")
            if not _is_refused(transaction):
                raise self._own(error, transaction) from error
        is_accepted = replies.end_of_data is not None and replies.end_of_data.is_positive
        if transaction.lost_at is not None and not is_accepted:
            # The message is not to blame.
            raise self._lost(transaction.lost_at)
        if is_accepted and not self._is_lost and self._posted:
            # Alone it shows nothing.
            self._trust.kept(_WINDOW)
        return replies.result()

    async def _hear(self, transaction: Transaction) -> None:
        heard = self._conversation.heard
        for _ in range(_REPLIES):
            exchange = heard.popleft() if heard else await self._conversation.hear()
            reply = exchange.reply
            is_end = isinstance(exchange.command, Bdat)
            if is_end and reply.is_positive and not self._has_sent(transaction):
                self._conversation.early(reply, Stage.END_OF_DATA)
            is_first = is_end and not self._trust.is_proven(_WINDOW)
            if transaction.take(exchange, may_know_no_bdat if is_first else is_out_of_step):
                self._is_lost = True
                transaction.replies.take(exchange.command, reply, is_good=reply.is_positive)
                self._trust.broke(_WINDOW, self._lost(exchange))
        if self._is_lost and not self._posted:
            self._conversation.abort("the server lost the thread of what was sent ahead")

    def _has_sent(self, transaction: Transaction) -> bool:
        return transaction.is_open and self._conversation.has_sent(transaction.end)

    def _own(self, error: SessionError, transaction: Transaction) -> SessionError:
        """The error as it concerns one message."""
        is_closed = self._conversation.dialogue.farewell is not None
        is_behind = is_closed and transaction.replies.mail is None
        is_doubtful = transaction.is_open and not is_behind
        mine = copy.copy(error)
        mine.stage = Stage.END_OF_DATA if is_doubtful else Stage.MAIL
        return mine

    def _lost(self, exchange: Exchange) -> ProtocolViolation:
        host, reply = self._conversation.host, exchange.reply
        return ProtocolViolation(
            f"{host}: lost the thread of what was sent ahead (BDAT): {reply}",
            host=host,
            stage=Stage.MAIL,
            code=reply.code,
            reply=reply.text,
        )


def _is_refused(transaction: Transaction) -> bool:
    """Whether it stands, by the replies so far, that the content goes to nobody."""
    replies = transaction.replies
    if replies.mail is None or replies.is_anybody_taken:
        return False
    # Behind "bad sequence" to MAIL the envelope before may still be open.
    is_mail_refused = not replies.mail.is_positive and transaction.lost_at is None
    return replies.has_refused or is_mail_refused
