"""A message on its way ahead of its replies (BDAT, RFC 3030): its commands, and all its octets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from operator import methodcaller

from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.commands import Bdat, Mail, Rcpt, Rset
from bulkmail.smtp.transaction import opening
from bulkmail.transport.blocks import Piece, with_files
from bulkmail.transport.content import Parcel
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.transaction import Transaction
from bulkmail.transport.trust import Level
from bulkmail.value_class import record_class

# Members by these names: through their class, each look takes as long as a call.
_WINDOW = Level.WINDOW
_encoded = methodcaller("encode")
_RSET = Rset()
#: Octets of content up to which a message is one piece: to copy it costs less than to count many.
_SMALL = 16_384


@record_class(eq=False)
class Posted(Parcel):
    """A message on its way, or about to be."""

    # Behind what has defaults.
    mail: MailObject = field(kw_only=True)
    envelope: tuple[Mail, *tuple[Rcpt, ...]] = field(kw_only=True)
    #: Whether RSET was put before it, and the reply to that was not taken.
    is_behind_reset: bool = field(default=False, kw_only=True)

    def reset_before(self) -> None:
        """Put RSET before it: whatever became of the message before, its envelope is forgotten."""
        first = _RSET.encode()
        self.commands, self.pieces = (_RSET, *self.commands), (first, *self.pieces)
        self.size += len(first)
        self.is_behind_reset = True

    def transaction(self) -> Transaction:
        """Its transaction, to which nothing was said yet."""
        return Transaction(self.mail, self.envelope, _WINDOW, first_decides=True)


def posted_for(mail: MailObject, conversation: Conversation, *, is_8bit: bool) -> Posted:
    """A message to be posted on a conversation. Raises `MessageRefusedLocally`."""
    size, offers = mail.size, conversation.dialogue.extensions
    envelope = opening(mail.envelope, size=size, extensions=offers, is_8bit=is_8bit)
    commands = (*envelope, Bdat(size))
    lines = list(map(_encoded, commands))
    pieces: Sequence[Piece]
    if size <= _SMALL:
        pieces = (b"".join((*lines, *mail.chunks)),)
    elif conversation.stream.sends_files:
        pieces = (*lines, *with_files(mail.chunks, mail.files))
    else:
        pieces = (*lines, *mail.chunks)
    return Posted(commands, pieces, sum(map(len, pieces)), mail=mail, envelope=envelope)
