"""What becomes of a message that is on its way ahead of its replies when its session breaks."""

from __future__ import annotations

import copy

from bulkmail.errors import ProtocolViolation, SessionError
from bulkmail.smtp.commands import Bdat, Rset
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.stage import Stage
from bulkmail.transport.posted import Posted
from bulkmail.transport.transaction import Transaction


def own(
    error: SessionError, posted: Posted, transaction: Transaction | None, *, is_closed: bool
) -> SessionError:
    """The error as it concerns one message; no transaction: nothing was said to it.

    `is_closed`: the server said that it closes, and so what it took.
    """
    is_behind = is_closed and (transaction is None or transaction.replies.mail is None)
    is_doubtful = posted.is_open and not is_behind
    mine = copy.copy(error)
    mine.stage = Stage.END_OF_DATA if is_doubtful else Stage.MAIL
    return mine


def lost(exchange: Exchange, host: str, *, knows_bdat: bool) -> ProtocolViolation:
    """By this reply the server has lost the thread of what was sent ahead."""
    reply = exchange.reply
    # From who takes messages by BDAT it is no answer to one: a reply too many came before.
    is_doubtful = knows_bdat and isinstance(exchange.command, Bdat | Rset)
    return ProtocolViolation(
        f"{host}: lost the thread of what was sent ahead (BDAT): {reply}",
        host=host,
        stage=Stage.END_OF_DATA if is_doubtful else Stage.MAIL,
        code=reply.code,
        reply=reply.text,
    )


def is_refused(transaction: Transaction) -> bool:
    """Whether it stands, by the replies so far, that the content goes to nobody."""
    replies = transaction.replies
    if replies.mail is None or replies.is_anybody_taken:
        return False
    # Behind "bad sequence" to MAIL the envelope before may still be open.
    is_mail_refused = not replies.mail.is_positive and transaction.lost_at is None
    return replies.has_refused or is_mail_refused
