"""The header section of a campaign's messages: what never changes is encoded once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from bulkmail.address import Mailbox, excerpt, parse_mailbox, split_mailboxes
from bulkmail.campaign.load import Campaign
from bulkmail.message.addressees import Addressees
from bulkmail.message.header_field import (
    date_field,
    mailbox_field,
    one_mailbox_field,
    text_field,
)
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates

#: Free headers that hold addresses (RFC 5322, 3.6.2; RFC 8098), written as From is.
_OF_ADDRESSES = frozenset(
    {"sender", "disposition-notification-to", "return-receipt-to", "errors-to", "mail-followup-to"}
)
#: Free headers that hold text for a person (RFC 5322, 3.6.5): a long word may be encoded.
_OF_TEXT = frozenset({"comments", "keywords", "organization"})
_NOTHING, _SECOND = timedelta(), timedelta(seconds=1)


class Heading:
    """Compiled header fields, in the order in which they are written."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        model = campaign.model
        self._texts = [_Free("Subject", templates.inline(model.subject, ("subject",)))]
        self._texts += [
            _Free(name, templates.inline(text, ("headers", name)))
            for name, text in model.headers.items()
        ]
        # What rarely changes from one row to the next.
        self._sender: Mailbox | None = None
        self._from = b""
        self._cc = _Repeated("Cc")
        self._reply_to = _Repeated("Reply-To")
        self._date = _Date()

    def encode(self, row: Row, addressees: Addressees | None) -> bytes:
        """The section without Content-Type and without its blank line.

        What has a fault is noted in `row` and missing here.
        """
        texts = b""
        for free in self._texts:
            texts += free.encode(row)
        if addressees is None:
            return b""
        sender, reply_to, to, cc, _, _ = addressees
        if sender is not self._sender:
            self._sender, self._from = sender, one_mailbox_field("From", sender)
        return b"%b%b%b%b%bMessage-ID: %b\r\n%bMIME-Version: 1.0\r\n" % (
            self._date.field(row.instant, row.zone),
            self._from,
            one_mailbox_field("To", to),
            self._cc.field(cc) if cc else b"",
            self._reply_to.field(reply_to) if reply_to else b"",
            row.delivery.message_id.encode("ascii"),
            texts,
        )


class _Repeated:
    """A field of mailboxes that are mostly those of the row before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: tuple[Mailbox, ...] = ()
        self._field = b""

    def field(self, mailboxes: tuple[Mailbox, ...]) -> bytes:
        """The field; `mailboxes` is not empty."""
        if mailboxes != self._last:
            self._field = mailbox_field(self._name, mailboxes)
            self._last = mailboxes
        return self._field


class _Date:
    """The Date field: many messages are made in a second. The zone is that of the campaign."""

    def __init__(self) -> None:
        #: When the second begins that it is of; every moment is before the first one's.
        self._second = datetime.max.replace(tzinfo=UTC)
        self._field = b""

    def field(self, instant: datetime, zone: tzinfo | None) -> bytes:
        """The field of an aware moment."""
        if not _NOTHING <= instant - self._second < _SECOND:
            self._field = date_field("Date", instant.astimezone(zone))
            self._second = instant.replace(microsecond=0)
        return self._field


class _Free:
    """A field whose value is a template."""

    def __init__(self, name: str, renderer: Renderer) -> None:
        self._name = name
        self._renderer = renderer
        self._is_of_addresses = name.lower() in _OF_ADDRESSES
        # Nobody has to quote a comma in a name where no second address can follow.
        self._is_of_one = name.lower() == "sender"
        self._is_structured = name != "Subject" and name.lower() not in _OF_TEXT
        #: The whole field, where it is the same in every message.
        self._constant: bytes | None = None

    def encode(self, row: Row) -> bytes:
        """The field; nothing when its value is empty, or has a fault, which `row` then holds."""
        if self._constant is not None:
            return self._constant
        text = self._renderer.line(row)
        if text is None or (not text and self._is_structured):
            return b""
        if self._is_of_addresses:
            encoded = self._mailboxes(text, row)
        else:
            encoded = text_field(self._name, text, is_structured=self._is_structured)
        if self._renderer.constant is not None:
            self._constant = encoded
        return encoded

    def _mailboxes(self, text: str, row: Row) -> bytes:
        try:
            parts = [text] if self._is_of_one else split_mailboxes(text)
            boxes = [parse_mailbox(part) for part in parts]
        except ValueError as error:
            row.add(self._renderer.fault(f"`{excerpt(text)}` is not an address: {error}"))
            return b""
        return mailbox_field(self._name, boxes)
