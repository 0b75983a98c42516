"""Messages out of a campaign and its rows: compiled once, then composed one row at a time.

Composing is a pure function of campaign, row and instant (and of the files it reads): the same
again gives the same bytes, in a dry run, on the wire and in a retry.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery, FileNote
from bulkmail.message.addressees import AddressBook, IsSuppressed
from bulkmail.message.contents import Contents
from bulkmail.message.dkim.signing import DkimSigner
from bulkmail.message.faults import RowSkipped
from bulkmail.message.fingerprint import digests, fingerprint
from bulkmail.message.heading import Heading
from bulkmail.message.keyring import Keyring
from bulkmail.message.mail_object import MailObject
from bulkmail.message.row import Row
from bulkmail.message.templates.skipping import SkipRule
from bulkmail.message.templates.templates import Templates
from bulkmail.message.unsubscribe import Unsubscribe


def _nobody(address: str) -> bool:
    del address
    return False


class Composer:
    """Makes the messages of one campaign."""

    def __init__(
        self,
        campaign: Campaign,
        *,
        is_suppressed: IsSuppressed = _nobody,
        keyring: Keyring | None = None,
    ) -> None:
        """Compile everything that no row changes.

        `is_suppressed` is asked of each cc and bcc, in lower case; who is gets no copy and is named
        in `MailObject.left_out`. Without a `keyring` nothing is signed, and the links to
        unsubscribe lead nowhere. Raises `ConfigurationError` with every template that is missing or
        does not compile, at its line, and every shared file that is not there.
        """
        #: What messages are made of.
        self.campaign = campaign
        self._name = campaign.name
        #: Asked of each cc and bcc.
        self.is_suppressed = is_suppressed
        keyring = keyring or Keyring()
        self._signer = DkimSigner(keyring.dkim)
        self._unsubscribe = Unsubscribe(campaign.model.unsubscribe, keyring.unsubscribe)
        path = campaign.model.recipients.path
        self._templates = Templates(campaign, path or "the recipients")
        self._skip = SkipRule(campaign, self._templates)
        self._may_skip = not self._skip.is_empty
        self._contents = Contents(campaign, self._templates)
        self._heading = Heading(campaign, self._templates)
        self._addresses = AddressBook(campaign, self._templates, is_suppressed)
        self._templates.raise_faults()

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        """The campaign's zone; None is the system's."""
        name = self.campaign.model.schedule.timezone
        return ZoneInfo(name) if name else None

    def compose(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> Coroutine[Any, Any, MailObject]:
        """The message for one row at one (aware) instant, which feeds Date, `now` and `t=`.

        With `only_to` it is addressed to that address alone, without copies. Raises `RowFaults`
        with all that is wrong with the row: then no message of it can be sent. Raises `RowSkipped`
        where `skip_if` holds for it.
        """
        return self._composed(delivery, instant, only_to, is_signed=self._signer.has_keys)

    def draft(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> Coroutine[Any, Any, MailObject]:
        """`compose`, but for the signatures: enough to see whether a row can be sent.

        Files are read where it is called, not in a thread: many rows are looked at one by one, and
        nothing else is waited for meanwhile.
        """
        return self._composed(delivery, instant, only_to, is_alone=True)

    async def _composed(
        self,
        delivery: Delivery,
        instant: datetime,
        only_to: str | None,
        *,
        is_alone: bool = False,
        is_signed: bool = False,
    ) -> MailObject:
        way_out = self._unsubscribe.way_out(delivery.message_id)
        row = Row(delivery, self._name, instant, self._zone, way_out.variables)
        row.is_alone = is_alone
        if self._may_skip and (reason := self._skip.reason(row)):
            raise RowSkipped(reason, row=delivery.row, address=delivery.address)
        addressees = self._addresses.addressees(row, only_to)
        header = self._heading.encode(row, addressees)
        header += way_out.header
        frame, parts = await self._contents.of(row)
        row.raise_faults()
        if addressees is None:
            raise AssertionError("a row without addressees holds a fault")
        chunks, has_dot_line, files = frame.content(header, parts, delivery.message_id)
        if is_signed:
            chunks = self._signer.signed(chunks, instant, files)
        # By their places: names would make a dictionary of them first.
        return MailObject(
            addressees.envelope,
            chunks,
            delivery.message_id,
            has_dot_line,
            addressees.left_out,
            (),
            delivery.row,
            delivery.address,
            files,
        )

    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that goes into every message: keys, templates, shared files.

        When it is what it was, what was checked has not changed, but for each row's fields (the
        ledger's content hash) and each row's own files (looked at when the message is made).
        """
        sources, shared = self._templates.sources(), self._contents.shared_paths
        return fingerprint(self.campaign, sources, shared)

    def parts(self) -> dict[str, str]:
        """Templates and shared files, from the project root where they lie below it, to digests."""
        return digests(self.campaign, self._templates.sources(), self._contents.shared_paths)

    @property
    def has_own_files(self) -> bool:
        """Whether rows have attachments of their own that were not made for them."""
        return self._contents.has_own_files

    def note_owner(self, note: FileNote, key: str, row: int, address: str) -> bool:
        """Somebody has, or had, this file: where it is to be one person's own, nobody else may.

        False where it is somebody else's already.
        """
        return self._contents.note_owner(note, key, row, address)

    @property
    def may_skip(self) -> bool:
        """Whether the campaign has a condition by which rows get nothing."""
        return self._may_skip

    def skips(self, delivery: Delivery, instant: datetime) -> str | None:
        """Why the row gets nothing by `skip_if`, as of `instant`; None when it may get a message.

        An expression that fails is told by `compose`.
        """
        way_out = self._unsubscribe.way_out(delivery.message_id)
        row = Row(delivery, self._name, instant, self._zone, way_out.variables)
        return self._skip.reason(row)
