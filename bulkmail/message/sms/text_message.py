"""A text message for one row, ready for a gateway. No MIME: a number and a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Self

from bulkmail.fate import Digests
from bulkmail.message.mail_object import MailObject
from bulkmail.message.sms.segments import TextSize, text_size
from bulkmail.smtp.envelope import Envelope
from bulkmail.value_class import value_class


@value_class
class RenderedRequest:
    """A request to a gateway that is described in YAML, filled in for one row.

    Where a secret belongs stands its mark (`SecretMarks`): a check needs no secrets, and what is
    shown of a request shows none.
    """

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    #: A JSON document; None: it has none.
    json: Any = None
    #: What may be shown of it, by the place of each value: no secret and nothing of a row but its
    #: number, for a text may be a code that nobody else is to read.
    shown: Mapping[str, str] = field(default_factory=dict)
    #: The same of its URL's path.
    shown_path: str = ""


@value_class
class TextMessage(MailObject):
    """One text for one number; the text's bytes in UTF-8 are its one chunk."""

    text: str = ""
    #: Of a gateway that is described in YAML; None for one that is known by name.
    request: RenderedRequest | None = None

    @classmethod
    def to(
        cls,
        number: str,
        text: str,
        *,
        message_id: str,
        row: int,
        request: RenderedRequest | None = None,
    ) -> Self:
        """A message to `number` (E.164)."""
        return cls(
            envelope=Envelope("", (number,)),
            chunks=(text.encode(),),
            message_id=message_id,
            has_dot_line=None,
            left_out=(),
            row=row,
            address=number,
            text=text,
            request=request,
        )

    def digests(self) -> Digests:
        """None of its text: a code is so short that whoever has its digest has the code."""
        return Digests(message_sha256="")

    @property
    def number(self) -> str:
        """Whom it goes to, in E.164."""
        return self.envelope.forward_paths[0]

    @property
    def text_size(self) -> TextSize:
        """How many segments it takes."""
        return text_size(self.text)
