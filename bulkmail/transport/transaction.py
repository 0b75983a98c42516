"""One transaction under way on a session: what was said of it, and what was heard."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from itertools import islice

from bulkmail.errors import SessionError
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.commands import Command, Data, Mail, Rcpt
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import opening
from bulkmail.transport.transaction_replies import TransactionReplies
from bulkmail.transport.trust import Level, is_out_of_step

_MAIL_AND_ONE_RCPT = 2
_DATA = Data()
# A member by this name: through its class, each look takes as long as a call.
_LOCKSTEP = Level.LOCKSTEP
#: To MAIL, RCPT and DATA.
_REPLIES = 3
#: The least code of a refusal.
_REFUSED = 400


def transaction_for(
    mail: MailObject,
    extensions: Extensions,
    level: Level,
    *,
    is_8bit: bool = False,
    first_decides: bool = True,
) -> Transaction:
    """A message's transaction with a server that offers `extensions`.

    Raises `MessageRefusedLocally` where that cannot take the message.
    """
    envelope = opening(mail.envelope, size=mail.size, extensions=extensions, is_8bit=is_8bit)
    if not extensions.pipelining:
        level = _LOCKSTEP
    return Transaction(mail, envelope, level, first_decides=first_decides)


class Transaction:
    """One message's, from its envelope on."""

    # What stands here is the class's until it changes.
    #: Whether its group was handed over.
    is_said: bool = False
    #: Whether its final dot may be out, or the end of its BDAT.
    is_open: bool = False
    #: The reply by which the server lost the thread.
    lost_at: Exchange | None = None

    def __init__(
        self,
        mail: MailObject,
        envelope: tuple[Mail, *tuple[Rcpt, ...]],
        level: Level,
        *,
        first_decides: bool,
    ) -> None:
        self.mail = mail
        self.envelope = envelope
        #: What is said at once. Of several recipients each is to be heard before DATA.
        self.group: tuple[Command, ...] = (
            (*envelope, _DATA) if len(envelope) == _MAIL_AND_ONE_RCPT else envelope
        )
        #: How far ahead the server is spoken to.
        self.level = level
        self.replies = TransactionReplies(first_decides=first_decides)

    def take(
        self, exchange: Exchange, is_telling: Callable[[Reply], bool] = is_out_of_step
    ) -> bool:
        """Put a reply in its place; whether it says, instead, that the server lost the thread.

        A refusal that `is_telling` does where all was said in order, ahead of the replies, and all
        before it went well.
        """
        command, reply = exchange.command, exchange.reply
        is_good = reply.is_positive
        if reply.code >= _REFUSED and is_telling(reply) and self._was_in_order(command):
            self.lost_at = exchange
            return True
        self.replies.take(command, reply, is_good=is_good)
        return False

    def take_well(self, heard: deque[Exchange]) -> bool:
        """Put all replies to a group for one recipient in their places at once; whether it was so.

        Where they are there and well; else they are left, to be taken one by one.
        """
        if len(heard) < _REPLIES or self.group[-1] is not _DATA:
            return False
        (_, mail), (_, recipient), (_, data) = islice(heard, _REPLIES)
        if not (mail.is_positive and recipient.is_positive and data.is_intermediate):
            return False
        heard.popleft()
        heard.popleft()
        heard.popleft()
        self.replies.take_well(self.mail.envelope.forward_paths[0], mail, recipient, data)
        return True

    def goes_on(self, exchange: Exchange) -> bool:
        """Put a reply in its place; whether the next command, in lockstep, is to be said."""
        self.take(exchange)
        replies = self.replies
        if exchange.reply.is_positive and replies.data is None:
            return True
        if replies.is_decided:
            return False
        # Of who is DATA for, all have been asked for then.
        is_whole = len(replies.recipients) == len(self.envelope) - 1
        return not is_whole or replies.has_takers

    def _was_in_order(self, command: Command) -> bool:
        """Whether it was said ahead, and all before it went well."""
        if isinstance(command, Mail):
            return self.level >= Level.GLUE
        return self.level >= Level.GROUP and self.replies.is_well

    def own(self, error: SessionError) -> SessionError:
        """The error as it concerns this message: in doubt only where its own content was out."""
        if self.is_open or error.stage != Stage.END_OF_DATA:
            return error
        # Another message's end of data was awaited when the session ended.
        mine = copy.copy(error)
        mine.stage = Stage.MAIL
        return mine
