"""What a check notices about messages that can be sent: some of them are looked at closely."""

from __future__ import annotations

from bulkmail.message.lint import lint
from bulkmail.message.mail_object import MailObject

#: So many messages at the beginning, and then one in so many: reading one again takes longer than
#: making it, and what is worth a notice is in the templates, hence in most.
_FIRST = 100
_STEP = 100
#: Different sentences that are kept.
_MOST = 20


class Linting:
    """Sentences about a campaign's messages, each once, with the first row that it is about."""

    def __init__(self) -> None:
        self._seen = 0
        self._first: dict[str, tuple[int, str]] = {}

    def look(self, mail: MailObject) -> None:
        """Look at a message, or leave it out."""
        self._seen += 1
        if self._seen > _FIRST and self._seen % _STEP:
            return
        for sentence in lint(mail):
            if len(self._first) < _MOST:
                self._first.setdefault(sentence, (mail.row, mail.address))

    def notices(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(
            f"{sentence[0].upper()}{sentence[1:]} (row {row}, {address})"
            for sentence, (row, address) in self._first.items()
        )
