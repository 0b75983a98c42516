"""Whom a row's message is from, to, and copied to: the envelope and the address headers.

The envelope's first forward-path is the row's own address, whatever `to:` shows. Cc and Bcc are
the campaign's and then the row's own (its columns `cc` and `bcc`); Bcc is in the envelope alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from bulkmail.address import (
    Address,
    Mailbox,
    excerpt,
    parse_address,
    parse_mailbox,
    spellings,
    split_mailboxes,
)
from bulkmail.campaign.load import Campaign
from bulkmail.errors import Fault
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates
from bulkmail.smtp.envelope import Envelope

#: Whether an address, in lower case, gets nothing: the suppression list's answer.
IsSuppressed = Callable[[str], bool]


class Addressees(NamedTuple):
    """One message's addresses, parsed."""

    sender: Mailbox
    reply_to: tuple[Mailbox, ...]
    to: Mailbox
    cc: tuple[Mailbox, ...]
    envelope: Envelope
    #: Cc and Bcc that are suppressed; they are in no header and not in the envelope.
    left_out: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[Mailbox, ...]:
        """All that stand in a header."""
        return (self.sender, *self.reply_to, self.to, *self.cc)


class AddressBook:
    """The campaign's address keys, compiled."""

    def __init__(
        self, campaign: Campaign, templates: Templates, is_suppressed: IsSuppressed
    ) -> None:
        model = campaign.model
        self._campaign = campaign
        self._is_suppressed = is_suppressed
        #: The recipient list as the campaign names it; None where the rows stand in it.
        self._list_path = model.recipients.path
        self._from = templates.inline(model.from_, ("from",))
        # From and copies rarely change from one row to the next.
        self._parsed = lru_cache(maxsize=256)(parse_mailbox)
        #: From, where it is the same in every message; None until it is known.
        self._sender: Mailbox | None = None

        def optional(text: str | None, key: str) -> Renderer | None:
            return None if text is None else templates.inline(text, (key,))

        self._reply_to = optional(model.reply_to, "reply_to")
        self._return_path = optional(model.return_path, "return_path")
        self._to = optional(model.to, "to")
        self._copies = {
            key: [templates.inline(text, (key, number)) for number, text in enumerate(texts)]
            for key, texts in (("cc", model.cc), ("bcc", model.bcc))
            if texts
        }

    def addressees(self, row: Row, only_to: str | None) -> Addressees | None:
        """Everybody of `row`'s message; None when `row` holds a fault.

        With `only_to` nobody but that address: in the envelope, in To, and no copies.
        """
        sender = self._sender or self._from_of(row)
        reply_to = () if self._reply_to is None else tuple(self._several(self._reply_to, row))
        if self._return_path is not None:
            reverse_path = self._reverse_path(self._return_path, row)
        else:
            reverse_path = None if sender is None else sender.address.wire
        own = self._own_address(row, only_to)
        to = self._shown_to(row, own, only_to)
        cc: list[Mailbox] = []
        bcc: list[Mailbox] = []
        # Most campaigns have neither.
        if only_to is None and (self._copies or _copy_columns(tuple(row.delivery.fields))):
            cc, bcc = self._copied("cc", row), self._copied("bcc", row)
        if sender is None or reverse_path is None or own is None or to is None:
            return None
        if not cc and not bcc:
            # As the classes do it, each behind a call in Python.
            alone = tuple.__new__(Envelope, (reverse_path, (own.wire,)))
            found = tuple.__new__(Addressees, (sender, reply_to, to, (), alone, ()))
            # What nearly all are, and as quickly seen.
            if reply_to or not (sender.address.wire.isascii() and to.address.wire.isascii()):
                self._refuse_unicode(found, row)
            return found
        copied = [*cc, *bcc]
        left_out = [box for box in copied if self._is_left_out(box)]
        paths = [own, *(box.address for box in copied if box not in left_out)]
        found = Addressees(
            sender=sender,
            reply_to=reply_to,
            to=to,
            cc=tuple(box for box in cc if box not in left_out),
            envelope=Envelope(reverse_path, _each_once(paths)),
            left_out=_each_once(box.address for box in left_out),
        )
        self._refuse_unicode(found, row)
        return found

    def _from_of(self, row: Row) -> Mailbox | None:
        sender = self._one(self._from, row)
        if self._from.constant is not None:
            self._sender = sender
        return sender

    def _one(self, renderer: Renderer, row: Row) -> Mailbox | None:
        text = renderer.line(row)
        return None if text is None else self._mailbox(text, row, renderer.fault)

    def _several(self, renderer: Renderer, row: Row) -> list[Mailbox]:
        """A campaign's entry: one mailbox, none, or what a template makes of a list."""
        text = renderer.line(row) or ""
        parts = split_mailboxes(text) if text.count("@") != 1 else [text]
        return self._mailboxes(parts, row, renderer.fault)

    def _own_address(self, row: Row, only_to: str | None) -> Address | None:
        text = row.delivery.address if only_to is None else only_to
        try:
            return parse_address(text)
        except ValueError as error:
            message = f"`{excerpt(text)}` is not an address: {error}"
            row.add(Fault(path=self._list_path, message=message))
            return None

    def _shown_to(self, row: Row, own: Address | None, only_to: str | None) -> Mailbox | None:
        if own is None:
            return None
        if only_to is not None:
            return Mailbox("", own)
        if self._to is not None:
            return self._one(self._to, row)
        name = row.delivery.fields.get("name")
        name = "" if name is None else str(name)
        if not name.isprintable() and (problem := row.unsafe(name)):
            row.add(self._campaign.fault(("to",), f"{problem}, in what becomes the To header"))
            return None
        return tuple.__new__(Mailbox, (name.strip(" "), own))

    def _reverse_path(self, return_path: Renderer, row: Row) -> str | None:
        text = return_path.line(row)
        if text is None or text in {"", "<>"}:
            return text and ""
        try:
            return parse_address(text).wire
        except ValueError as error:
            message = f"`{excerpt(text)}` is not an address: {error}"
            row.add(return_path.fault(message))
            return None

    def _copied(self, key: str, row: Row) -> list[Mailbox]:
        """The campaign's and the row's own, in this order."""
        boxes = [
            box for renderer in self._copies.get(key, ()) for box in self._several(renderer, row)
        ]

        def fault(message: str) -> Fault:
            return Fault(path=self._list_path, message=f"column `{key}`: {message}")

        for text in _cells(row.delivery.fields, _columns(row.delivery.fields, key)):
            if problem := row.unsafe(text):
                row.add(fault(problem))
            else:
                boxes += self._mailboxes(split_mailboxes(text), row, fault)
        return boxes

    def _mailboxes(
        self, texts: Iterable[str], row: Row, fault: Callable[[str], Fault]
    ) -> list[Mailbox]:
        boxes = (self._mailbox(text, row, fault) for text in texts)
        return [box for box in boxes if box is not None]

    def _mailbox(self, text: str, row: Row, fault: Callable[[str], Fault]) -> Mailbox | None:
        try:
            return self._parsed(text)
        except ValueError as error:
            row.add(fault(f"`{excerpt(text)}` is not an address: {error}"))
            return None

    def _is_left_out(self, box: Mailbox) -> bool:
        return any(map(self._is_suppressed, spellings(box.address.wire)))

    def _refuse_unicode(self, found: Addressees, row: Row) -> None:
        """A header with a UTF-8 local part goes where SMTPUTF8 is asked for, and nowhere else."""
        if found.envelope.needs_smtputf8:
            return
        for box in found.shown:
            if box.address.needs_smtputf8:
                message = (
                    f"`{box.address.wire}` needs SMTPUTF8, which is asked of a server only when "
                    "the envelope's own addresses need it: show one in ASCII"
                )
                row.add(self._campaign.fault(("from",) if box is found.sender else (), message))


@lru_cache(maxsize=256)
def _copy_columns(columns: tuple[str, ...]) -> bool:
    """Whether a column is one of copies. Most lists have the same columns in all rows."""
    return any(column.lower() in {"cc", "bcc"} for column in columns)


def _columns(columns: Iterable[str], key: str) -> list[str]:
    """Those that are called `key`, in any case."""
    return [column for column in columns if column.lower() == key]


def _cells(fields: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """What these columns of a row hold: texts, or (in JSON) lists of them."""
    texts: list[str] = []
    for column in columns:
        value = fields[column]
        values = value if isinstance(value, list) else [value]
        texts += [str(text) for text in values if text is not None]
    return texts


def _each_once(addresses: Iterable[Address]) -> tuple[str, ...]:
    """On the wire, without repetition; case makes no difference, as it makes none to a key."""
    paths: dict[tuple[str, str], str] = {}
    for address in addresses:
        paths.setdefault((address.local.lower(), address.domain), address.wire)
    return tuple(paths.values())
