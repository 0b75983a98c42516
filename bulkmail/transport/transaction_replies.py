"""The replies of a transaction under way, and what they decide."""

from __future__ import annotations

from bulkmail.smtp.commands import Bdat, Command, Data, Mail, Rcpt
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult


class TransactionReplies:
    """Fills as replies come; `result` is what it came to."""

    # What stands here is the class's, until a reply changes it: of most transactions few do.
    mail: Reply | None = None
    data: Reply | None = None
    end_of_data: Reply | None = None
    #: Whether any RCPT was accepted, behind whatever reply to MAIL.
    is_anybody_taken: bool = False
    #: Whether MAIL and every RCPT so far were accepted.
    is_well: bool = False
    #: Whether an RCPT was refused, MAIL having been accepted.
    has_refused: bool = False
    #: Whether MAIL was refused, or whoever decides for all.
    is_refused: bool = False

    def __init__(self, *, first_decides: bool) -> None:
        #: Whether the first recipient's refusal is that of the whole transaction.
        self.first_decides = first_decides
        #: Empty where MAIL was refused: what is said to RCPT then is no word on the recipient.
        self.recipients: dict[str, Reply] = {}

    def take(self, command: Command, reply: Reply, *, is_good: bool) -> None:
        """Put a reply in its place. `is_good`: it is 2yz."""
        match command:
            case Mail():
                self.mail = reply
                self.is_well = is_good
                self.is_refused = not is_good
            case Rcpt(forward_path=path):
                self._take_recipient(path, reply, is_good=is_good)
            case Data():
                self.data = reply
            case Bdat() if self.is_anybody_taken or not is_good:
                # What is said to content that was for nobody is no acceptance.
                self.end_of_data = reply
            case _:
                pass

    def take_well(self, path: str, mail: Reply, recipient: Reply, data: Reply) -> None:
        """All replies to a message for one recipient, up to the 354; all are good."""
        self.mail = mail
        self.recipients[path] = recipient
        self.data = data
        self.is_well = self.is_anybody_taken = True

    def _take_recipient(self, path: str, reply: Reply, *, is_good: bool) -> None:
        if is_good:
            self.is_anybody_taken = True
        if self.mail is None or not (self.is_well or self.mail.is_positive):
            return
        if not is_good:
            self.is_well = False
            self.has_refused = True
            self.is_refused |= self.first_decides and not self.recipients
        self.recipients[path] = reply

    @property
    def has_takers(self) -> bool:
        """Whether the message may go to somebody, by the replies so far."""
        # Of whom an RCPT was accepted behind a refused MAIL, there is none: it is refused.
        return self.is_anybody_taken and not self.is_refused

    @property
    def is_awaited(self) -> bool:
        """Whether the server waits for content that is to be given to it."""
        return self.has_takers and self.data is not None and self.data.is_intermediate

    @property
    def is_taken(self) -> bool:
        """Whether the server took the message."""
        return self.end_of_data is not None and self.end_of_data.is_positive

    @property
    def is_decided(self) -> bool:
        """Whether the outcome stands, whatever becomes of the session now."""
        is_data_refused = self.data is not None and not self.data.is_intermediate
        return self.is_refused or is_data_refused or self.end_of_data is not None

    def result(self) -> TransactionResult:
        """What the transaction came to."""
        return TransactionResult(
            mail=self.mail,
            recipients=self.recipients,
            data=self.data,
            end_of_data=self.end_of_data,
        )
