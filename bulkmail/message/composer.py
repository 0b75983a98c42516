"""Messages out of a campaign and its rows: compiled once, then composed one row at a time.

Composing is a pure function of campaign, row and instant (and of the files it reads): the same
again gives the same bytes, in a dry run, on the wire and in a retry.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery
from bulkmail.message.addressees import AddressBook, IsSuppressed
from bulkmail.message.attachments import attachments
from bulkmail.message.bodies import Bodies
from bulkmail.message.file_reader import FileReader
from bulkmail.message.fingerprint import fingerprint
from bulkmail.message.frame import Frame
from bulkmail.message.heading import Heading
from bulkmail.message.mail_object import MailObject
from bulkmail.message.row import Row
from bulkmail.message.templates import Templates


def _nobody(address: str) -> bool:
    del address
    return False


class Composer:
    """Makes the messages of one campaign."""

    def __init__(self, campaign: Campaign, *, is_suppressed: IsSuppressed = _nobody) -> None:
        """Compile everything that no row changes.

        `is_suppressed` is asked of each cc and bcc, in lower case; who is gets no copy and is named
        in `MailObject.left_out`. Raises `ConfigurationError` with every template that is missing or
        does not compile, at its line, and every shared file that is not there.
        """
        self._campaign = campaign
        path = campaign.model.recipients.path
        self._templates = Templates(campaign, path or "the recipients")
        self._bodies = Bodies(campaign, self._templates)
        self._heading = Heading(campaign, self._templates)
        self._addresses = AddressBook(campaign, self._templates, is_suppressed)
        self._files, images = attachments(campaign, self._templates)
        self._templates.raise_faults()
        self._reader = FileReader()
        self._frame = Frame(
            bodies=self._bodies.count, inline=images, attachments=len(self._files) - images
        )

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        """The campaign's zone; None is the system's."""
        name = self._campaign.model.schedule.timezone
        return ZoneInfo(name) if name else None

    async def compose(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> MailObject:
        """The message for one row at one (aware) instant, which feeds Date and `now`.

        With `only_to` it is addressed to that address alone, without copies. Raises `RowFaults`
        with all that is wrong with the row: then no message of it can be sent.
        """
        sent_at = instant.astimezone(self._zone)
        row = Row(delivery, self._campaign.name, sent_at)
        addressees = self._addresses.addressees(row, only_to)
        header = self._heading.encode(row, addressees, sent_at)
        parts = self._bodies.parts(row)
        for file in self._files:
            part = await file.part(row, self._reader)
            if part is not None:
                parts.append(part)
        row.raise_faults()
        if addressees is None:
            raise AssertionError("a row without addressees holds a fault")
        chunks, has_dot_line = self._frame.content(header, parts, delivery.message_id)
        return MailObject(
            envelope=addressees.envelope,
            chunks=chunks,
            message_id=delivery.message_id,
            has_dot_line=has_dot_line,
            left_out=addressees.left_out,
            row=delivery.row,
            address=delivery.address,
        )

    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that goes into every message: keys, templates, shared files.

        When it is what it was, what was checked has not changed, but for each row's fields (the
        ledger's content hash) and each row's own files (looked at when the message is made).
        """
        shared = [file.shared_path for file in self._files if file.shared_path is not None]
        return fingerprint(self._campaign, self._templates.sources(), shared)
