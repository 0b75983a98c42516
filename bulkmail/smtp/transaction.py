"""A mail transaction's result: MAIL to end of data, a reply for each step and each recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from bulkmail.errors import MessageRefusedLocally
from bulkmail.smtp.commands import Mail, Rcpt
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class TransactionResult:
    """What became of one transaction. A refusal is a value here, never an exception."""

    #: Reply to MAIL; None when the transaction did not come that far.
    mail: Reply | None = None
    #: Reply to each RCPT, by forward-path, in the order they were given.
    recipients: Mapping[str, Reply] = field(default_factory=dict)
    #: Reply to DATA (or None where it was not sent).
    data: Reply | None = None
    #: Reply to the final dot; 2yz is the server taking responsibility.
    end_of_data: Reply | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the server answered 2yz to the end of data."""
        return self.end_of_data is not None and self.end_of_data.is_positive

    @property
    def refused(self) -> dict[str, Reply]:
        """The recipients that were refused, with the reply to each."""
        return {path: reply for path, reply in self.recipients.items() if not reply.is_positive}

    @property
    def decisive(self) -> tuple[Stage, Reply] | None:
        """The stage that decided the outcome and its reply; the final 2yz when it was accepted.

        The order is that of the dialogue: MAIL, the first recipient's RCPT, DATA, end of data.
        None when no reply came at all.
        """
        if self.mail is not None and not self.mail.is_positive:
            return Stage.MAIL, self.mail
        first = next(iter(self.recipients.values()), None)
        if first is not None and not first.is_positive:
            return Stage.RCPT, first
        if self.data is not None and not self.data.is_intermediate:
            return Stage.DATA, self.data
        if self.end_of_data is not None:
            return Stage.END_OF_DATA, self.end_of_data
        return None


def opening(
    envelope: Envelope, *, size: int, extensions: Extensions, is_8bit: bool = False
) -> tuple[Mail, *tuple[Rcpt, ...]]:
    """The commands that open a transaction, fitted to what the server offers.

    `size` is the content's in octets, before dot stuffing (RFC 1870, 5). A forward-path that is
    named twice is given once. Raises `MessageRefusedLocally` where the server's SIZE is too small,
    or the envelope needs SMTPUTF8, or the content 8BITMIME, and it is not offered; or where there
    is nobody to send to.
    """
    if not envelope.forward_paths:
        raise MessageRefusedLocally("the envelope names no recipient")
    if extensions.size is not None and size > extensions.size:
        raise MessageRefusedLocally(
            f"the message has {size} bytes, and the server takes {extensions.size} at most"
        )
    needs_smtputf8 = envelope.needs_smtputf8
    if needs_smtputf8 and not extensions.smtputf8:
        raise _no_smtputf8(envelope)
    if is_8bit and not extensions.eight_bit_mime:
        raise MessageRefusedLocally(
            "content beyond ASCII needs a server that offers 8BITMIME, and this one does not"
        )
    mail = Mail(
        envelope.reverse_path,
        size=size if "SIZE" in extensions.keywords else None,
        is_8bit=is_8bit,
        smtputf8=needs_smtputf8,
    )
    if len(envelope.forward_paths) == 1:
        return mail, Rcpt(envelope.forward_paths[0])
    return mail, *map(Rcpt, dict.fromkeys(envelope.forward_paths))


def _no_smtputf8(envelope: Envelope) -> MessageRefusedLocally:
    if all(map(str.isascii, envelope.forward_paths)):
        return MessageRefusedLocally(
            f"the sender's address {envelope.reverse_path} is beyond ASCII and needs a server that "
            "offers SMTPUTF8, and this one does not",
            reach="sender",
        )
    own, *copies = envelope.forward_paths
    if own.isascii():
        path = next(path for path in copies if not path.isascii())
        return MessageRefusedLocally(
            f"{path}, one of its cc or bcc, is beyond ASCII and needs a server that offers "
            "SMTPUTF8, and this one does not: without that address the message can go",
            reach="recipient",
        )
    return MessageRefusedLocally(
        f"the address {own} is beyond ASCII and needs a server that offers SMTPUTF8, and this one "
        "does not",
        reach="recipient",
    )
