"""What a check notices about messages that can be sent: some of them are looked at closely."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.app.check.texting import TextTally
from bulkmail.message.mail_object import MailObject
from bulkmail.message.sms.text_message import TextMessage

#: So many messages at the beginning, and then one in so many: reading one again takes longer than
#: making it, and what is worth a notice is in the templates, hence in most.
_FIRST = 100
_STEP = 100
#: Different sentences that are kept.
_MOST = 20


def is_looked_at(place: int) -> bool:
    """Whether the message of the row at that place in the pass, from 1, is looked at."""
    return place <= _FIRST or not place % _STEP


class Linting:
    """Sentences about a campaign's messages, each once, with the first row that it is about."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, str]] = {}
        #: All of them, where they are text messages.
        self.texts = TextTally()

    def look(self, mail: MailObject, place: int) -> None:
        """Look at a message, or leave it out; `place` is its row's in the pass, from 1."""
        if isinstance(mail, TextMessage):
            self.texts.add(mail)
        elif is_looked_at(place):
            # Whoever sends does not look: Python's own mail parser is slow to import.
            from bulkmail.message.lint import lint  # noqa: PLC0415

            self.take(lint(mail), mail.row, mail.address)

    def take(self, sentences: Iterable[str], row: int, address: str) -> None:
        """Take in what was noticed about a row's message."""
        for sentence in sentences:
            if len(self._first) < _MOST:
                self._first.setdefault(sentence, (row, address))

    def notices(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(
            f"{sentence[0].upper()}{sentence[1:]} (row {row}, {address})"
            for sentence, (row, address) in self._first.items()
        )
