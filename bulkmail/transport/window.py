"""Whole messages ahead of their replies (BDAT, RFC 3030): no round trip a message.

MAIL, RCPT and BDAT LAST of a message for one recipient go out at once, and so do those of the
messages behind it: what is posted in a row is one write. Replies are heard in their order. What is
in doubt when the session ends is exactly what has its end out and no reply to it; but a server that
says 421 takes nothing of what stands behind (RFC 5321, 3.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

from bulkmail.errors import ProtocolViolation, SessionError
from bulkmail.smtp.commands import Bdat, Mail
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.reply import CLOSING, Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.posted import Posted
from bulkmail.transport.posted_trouble import is_refused, lost, own
from bulkmail.transport.posting import Posting
from bulkmail.transport.transaction import Transaction
from bulkmail.transport.trust import (
    Level,
    Trust,
    has_kept_envelope,
    is_out_of_step,
    may_know_no_bdat,
)

# Members by these names: through their class, each look takes as long as a call.
_WINDOW = Level.WINDOW
#: Replies to one message: to MAIL, RCPT and BDAT.
_REPLIES = 3
#: Those.
_Replies: TypeAlias = tuple[Reply, Reply, Reply]
#: Messages at once with a server that has not shown yet that it can do it.
_AT_FIRST = 2


class Window(Posting):
    """One session's messages on their way."""

    def __init__(self, conversation: Conversation, trust: Trust, size: int) -> None:
        super().__init__(conversation, trust)
        self._size = size
        #: Octets that are known to have left, of all that is written.
        self._sent = 0
        #: Whether the last message that has its result was refused at RCPT.
        self._is_behind_refusal = False
        #: Whether the server lost the thread of them.
        self._is_lost = False
        #: The reply from which on nobody can tell which message one answers.
        self._astray: Exchange | None = None
        #: Whether QUIT was said behind them.
        self._is_leaving = False
        #: Whether the last result of `settle` is a refusal that may be of BDAT, not the message.
        self.is_in_question = False

    @property
    def size(self) -> int:
        """How many messages may be on their way at once; 1: none this way; 0: it is over."""
        if self._is_lost or self._is_leaving or self._conversation.is_over:
            return 0
        offers = self._conversation.dialogue.extensions
        if not (offers.chunking and offers.pipelining) or self._trust.level < _WINDOW:
            return 1
        is_proven = self._trust.is_proven(_WINDOW)
        return self._size if is_proven else min(_AT_FIRST, self._size)

    @property
    def is_answered(self) -> bool:
        """Whether `settle` would not wait."""
        posted = self._posted
        return bool(posted) and self._conversation.has_heard(_REPLIES + posted[0].is_behind_reset)

    async def leave(self) -> None:
        """Hand over what was posted, and QUIT behind it where this server may be told so ahead.

        Nothing more is posted then.
        """
        await self.flush()
        # What has come and was not read is heard first: it may be a farewell.
        is_well = self._cause is None and self._conversation.is_undisturbed
        if self._posted and not self._is_leaving and is_well and self._trust.may_quit_ahead():
            self._conversation.quit_ahead()
            self._is_leaving = True

    @property
    def has_left(self) -> bool:
        """Whether QUIT was said and all before it has its result."""
        return self._is_leaving and not self._posted

    async def settle(self) -> TransactionResult:
        """The result of the oldest message. Raises `SessionError`, its stage being this message's.

        That is ``end of data`` where it may have been taken, else ``mail``: it was not begun. All
        that a server says is heard, also where it has lost the thread: it may have taken the
        content all the same. But where replies are too many by then, they are no word on anybody.
        """
        if self._waiting:
            await self.flush()
        self.is_in_question = False
        posted = self._posted.popleft()
        transaction: Transaction | None = None
        try:
            await self._come_to(posted)
            astray = self._astray
            if (plain := self._take_plain(posted)) is not None:
                self._has_kept()
                return _result(posted, *plain)
            transaction = posted.transaction()
            await self._hear(posted, transaction)
        except SessionError as end:
            error = self._cause or end
            if self._trust.broke(_WINDOW, error):
                self._conversation.note("it breaks on messages sent ahead (BDAT): no more of that")
            if transaction is None or not is_refused(transaction):
                is_closed = self._conversation.dialogue.farewell is not None
                raise own(error, posted, transaction, is_closed=is_closed) from error
        replies = transaction.replies
        self._is_behind_refusal = replies.has_refused
        is_begun = posted.is_open and not (replies.mail and replies.mail.code == CLOSING)
        if astray is not None and is_begun:
            raise self._lost(astray)
        if transaction.lost_at is not None and not replies.is_taken:
            # The message is not to blame.
            raise self._lost(transaction.lost_at)
        if replies.is_taken:
            self._has_kept()
        elif replies.is_well and replies.end_of_data is not None:
            self.is_in_question = self._trust.refused_bdat(replies.end_of_data)
        return replies.result()

    def accepted(self) -> Sequence[Reply]:
        """The replies to the ends of the oldest messages that are plainly accepted by now."""
        return [end for _, (_, _, end) in self._take_accepted()]

    def accepted_results(self) -> Sequence[TransactionResult]:
        """The results of those, as `settle` gives them."""
        return [_result(posted, *replies) for posted, replies in self._take_accepted()]

    def _take_accepted(self) -> list[tuple[Posted, _Replies]]:
        """Those messages, each with its replies."""
        posted = self._posted
        taken: list[tuple[Posted, _Replies]] = []
        while posted:
            first = posted[0]
            if first.is_behind_reset:
                self._take_reset(first)
            if (replies := self._take_plain(first)) is None:
                break
            taken.append((posted.popleft(), replies))
        if taken:
            self._has_kept(len(taken))
        return taken

    def _take_plain(self, posted: Posted) -> _Replies | None:
        """The replies to one that is plainly accepted; else they are left, to be looked at."""
        heard = self._conversation.heard
        if len(heard) < _REPLIES or self._is_lost:
            return None
        (_, mail), (_, recipient), (_, end) = islice(heard, _REPLIES)
        if not (mail.is_positive and recipient.is_positive and end.is_positive):
            return None
        # What left, and is known to have, needs no second look.
        if not (0 < posted.end <= self._sent or self._has_sent(posted)):
            return None
        heard.popleft()
        heard.popleft()
        heard.popleft()
        return mail, recipient, end

    async def _come_to(self, posted: Posted) -> None:
        """Wait until something is there that answers it, or RSET before it."""
        if not self._conversation.heard:
            self._conversation.heard.appendleft(await self._conversation.hear())
        if posted.is_behind_reset:
            self._take_reset(posted)

    def _take_reset(self, posted: Posted) -> None:
        """The reply to RSET, if it came: a refusal is of something else, and who knows of what."""
        if not self._conversation.heard:
            return
        posted.is_behind_reset = False
        exchange = self._conversation.heard.popleft()
        if not (exchange.reply.is_positive or exchange.reply.code == CLOSING):
            self._lose(exchange)

    async def _hear(self, posted: Posted, transaction: Transaction) -> None:
        heard, odd = self._conversation.heard, None
        for _ in range(_REPLIES):
            exchange = heard.popleft() if heard else await self._conversation.hear()
            reply = exchange.reply
            is_end = isinstance(exchange.command, Bdat)
            if is_end and reply.is_positive and not self._has_sent(posted):
                self._conversation.early(reply, Stage.END_OF_DATA)
            is_first = is_end and not self._trust.is_proven(_WINDOW)
            if transaction.take(exchange, may_know_no_bdat if is_first else is_out_of_step):
                transaction.replies.take(exchange.command, reply, is_good=reply.is_positive)
                if self._has_kept_envelope(exchange):
                    odd = exchange
                else:
                    self._lose(exchange)
        if odd is not None and transaction.replies.is_taken:
            self._trust.keeps_envelopes = True
        elif odd is not None:
            self._lose(odd)
        if self._is_lost and not self._posted:
            self._conversation.abort("the server lost the thread of what was sent ahead")

    def _has_kept_envelope(self, exchange: Exchange) -> bool:
        """Whether MAIL is refused only as the envelope before was refused, and is still there.

        It was of the same reverse-path, or RSET stood between.
        """
        is_mail = isinstance(exchange.command, Mail)
        return is_mail and self._is_behind_refusal and has_kept_envelope(exchange.reply)

    def _lose(self, exchange: Exchange) -> None:
        """By this reply the server has lost the thread."""
        self._is_lost = True
        lost = self._lost(exchange)
        self._trust.broke(_WINDOW, lost)
        if lost.stage == Stage.END_OF_DATA:
            self._astray = self._astray or exchange

    def _has_kept(self, messages: int = 1) -> None:
        """So many were accepted as they should be, and are posted no longer."""
        self._trust.knows_bdat = True
        self._is_behind_refusal = False
        if self.has_left:
            self._trust.quit_well()
        # Alone, one shows nothing.
        ahead = messages if self._posted else messages - 1
        if ahead and not self._is_lost:
            self._trust.kept(_WINDOW, ahead)

    def _lost(self, exchange: Exchange) -> ProtocolViolation:
        return lost(exchange, self._conversation.host, knows_bdat=self._trust.knows_bdat)

    def _has_sent(self, posted: Posted) -> bool:
        if posted.end > self._sent:
            self._sent = self._conversation.sent
        return posted.is_open and posted.end <= self._sent


def _result(posted: Posted, mail: Reply, recipient: Reply, end: Reply) -> TransactionResult:
    """What a message came to by its replies."""
    path = posted.mail.envelope.forward_paths[0]
    return TransactionResult(mail=mail, recipients={path: recipient}, end_of_data=end)
