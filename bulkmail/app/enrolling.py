"""One pass over the recipient list into the ledger: read, validate, enrol, check.

Nothing can be claimed before the pass is complete, and it is completed only when every row was
rendered once; a pass with a fault in it is abandoned, and nothing of it stays visible.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import AnyComposer
from bulkmail.app.check.file_notes import FileNotes
from bulkmail.app.check.inspection import Inspection
from bulkmail.app.check.row import Answer, Skipped, Sound
from bulkmail.app.identity import from_domain, ledger_name_of_file
from bulkmail.app.suppressing import Listed
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.occurrence_name import is_occurrence, series_of
from bulkmail.campaign.recipients import RecipientList, Row
from bulkmail.clock import moment
from bulkmail.errors import NobodyToSendTo
from bulkmail.fate import Counts, Delivery
from bulkmail.ledger import CampaignRecord, Enrolment, Ledger, NewRow, Series
from bulkmail.message.composer import Composer
from bulkmail.message.faults import RowFaults, RowSkipped
from bulkmail.message.message_id import message_id
from bulkmail.message.templates.language import language_column
from bulkmail.report.wording import counted

if TYPE_CHECKING:
    from bulkmail.app.check.crew import Crew

#: Rows read, enrolled or checked at a time: enough to make a commit worth while, few enough that
#: other campaigns on the ledger are not held up.
BATCH = 2000
#: Rows of a list below which it is checked here: a process takes half a second to be of use.
FEW = 8000
#: Rows between two words to whoever watches.
STEP = 200


def series_in_ledger(campaign: Campaign) -> Series | None:
    """What the campaign has to do with a series; None: it is of none, and asks for nobody's."""
    name, only_new = campaign.name, campaign.model.only_new
    if is_occurrence(name):
        return Series(series_of(name), only_new=only_new)
    return Series(name, is_occurrence=False, only_new=True) if only_new else None


class Pass:
    """One pass of a campaign's list into one ledger. `composer` None: templates are at fault."""

    def __init__(
        self,
        campaign: Campaign,
        composer: AnyComposer | None,
        *,
        ledger: Ledger,
        surroundings: Surroundings,
        domain: str | None = None,
        origin: str | None = None,
        notes: Ledger | None = None,
        is_strict: bool = False,
        is_close: bool = False,
    ) -> None:
        """`domain` is the one Message-IDs end in, where it is not that of From.

        `origin` is the name they are made of, where it is not the one that `ledger` gives.

        With `notes` a person checks: that ledger keeps what rows' own files are, not `ledger`. A
        strict pass takes no files of rows but those that a person checked. Only a close one looks
        for what is no fault and worth a notice: `Inspection.linting`.
        """
        self._campaign = campaign
        self._composer = composer
        #: Where the list goes.
        self.ledger = ledger
        self._clock = surroundings.clock
        self._watch = surroundings.watch
        self._is_close = is_close
        self._domain = from_domain(campaign) if domain is None else domain
        self._origin = origin
        checks = (notes or ledger).checks(campaign.name)
        self._files = FileNotes(checks, by_person=notes is not None, is_strict=is_strict)
        self._language_column = language_column(campaign.model)
        self.inspection = Inspection()
        #: Rows that were looked at.
        self._place = 0

    async def run(
        self, recipients: RecipientList, listed: Sequence[Listed] = (), *, skip_invalid: bool
    ) -> Counts:
        """Read, enrol and check everything; `listed` get nothing, beside the ledger's own list.

        Raises `ConfigurationError` with all faults, unless `skip_invalid` and only rows are at
        fault; nothing of the pass is visible in the ledger then.
        """
        enrolment = await self.ledger.begin(
            self._campaign.name,
            path=ledger_name_of_file(self._campaign),
            key_column=recipients.key_column or "",
            from_domain=self._domain,
            origin=self._origin,
            series=series_in_ledger(self._campaign),
        )
        try:
            await self._enrol(recipients, enrolment)
            await self._check(enrolment)
            if not skip_invalid:
                self.inspection.faults.complain()
            counts = await enrolment.complete(list_sha256=recipients.sha256(), listed=listed)
        except BaseException:
            # Whoever interrupts this, too, leaves what a crash does: the next pass clears it away.
            await enrolment.abandon()
            raise
        finally:
            self.inspection.left_out = enrolment.left_out
        if not self.inspection.unfit and not self.inspection.skipped:
            return counts
        await self.ledger.fail_rows(enrolment.campaign_id, self.inspection.unfit)
        await self.ledger.skip_rows(enrolment.campaign_id, self.inspection.skipped)
        return await self.ledger.counts(enrolment.campaign_id)

    async def _enrol(self, recipients: RecipientList, enrolment: Enrolment) -> None:
        rows = recipients.rows()
        reading = self._begin_reading(rows, enrolment)
        try:
            while batch := await asyncio.shield(reading):
                # While the ledger writes one batch, a thread reads the next.
                reading = self._begin_reading(rows, enrolment)
                await enrolment.add(batch)
                self.inspection.rows += len(batch)
                self._watch.checking(self.inspection.rows, None)
        finally:
            # The list is not left while a thread is at it.
            await asyncio.wait([reading])
            reading.exception()
        if self.inspection.rows and self.inspection.rows == enrolment.left_out:
            count = counted(enrolment.left_out, "recipient")
            raise NobodyToSendTo(
                self._campaign.fault(
                    ("recipients",),
                    f"nobody is new: of {count} each is held by an earlier occurrence (`only_new`)",
                )
            )
        if not self.inspection.rows:
            raise NobodyToSendTo(
                self._campaign.fault(("recipients",), "the list is empty: nobody to send to")
            )

    def _begin_reading(
        self, rows: Iterator[Row], enrolment: Enrolment
    ) -> asyncio.Task[list[NewRow]]:
        return asyncio.create_task(asyncio.to_thread(self._next_batch, rows, enrolment))

    def _next_batch(self, rows: Iterator[Row], enrolment: Enrolment) -> list[NewRow]:
        return [self._new_row(row, enrolment) for row in itertools.islice(rows, BATCH)]

    def _new_row(self, row: Row, enrolment: Enrolment) -> NewRow:
        key = row.key or f"row {row.number}"
        id_ = message_id(enrolment.origin, key, enrolment.from_domain)
        invalid = None
        if row.faults:
            self.inspection.faults.add(row.faults)
            invalid = "; ".join(fault.message for fault in row.faults)
        # By place: a million of them by name take half a second more.
        return NewRow(row.number, key, row.address, row.domain, row.fields, id_, invalid)

    async def _check(self, enrolment: Enrolment) -> None:
        if self._composer is None:
            return
        await self._files.begin(self._composer)
        crew = self._crew(self._composer)
        if crew is None:
            async for batch, _ in self._batches(enrolment):
                for delivery in batch:
                    await self._check_row(delivery, self._composer)
                    self._looked_at_one()
        else:
            await self._check_together(enrolment, self._composer, crew)
        self._watch.checking(self.inspection.rows, self.inspection.rows)
        await self._files.end()
        self.inspection.changed_files = self._files.notice()

    def _crew(self, composer: AnyComposer) -> Crew | None:
        """Processes to check a long list with; None: it is checked here."""
        if not isinstance(composer, Composer):
            # A text is made so fast that it is not worth a process.
            return None
        if self.inspection.rows < FEW:
            return None
        # Of no use to who sends to few, and not free to import.
        from bulkmail.app.check.crew import Crew, cores  # noqa: PLC0415

        if (count := cores()) == 1:
            return None
        try:
            return Crew(composer.campaign, composer.is_suppressed, count)
        except ValueError:
            return None

    async def _check_together(
        self, enrolment: Enrolment, composer: AnyComposer, crew: Crew
    ) -> None:
        async with crew:
            batches = self._batches(enrolment)
            async for rows, answers in crew.check(batches, is_close=self._is_close):
                for delivery, answer in zip(rows, answers, strict=True):
                    await self._take(delivery, answer, composer)
                    self._looked_at_one()

    async def _take(self, delivery: Delivery, answer: Answer, composer: AnyComposer) -> None:
        """Take in what a process found. What is wrong is found again, here, in the list's order."""
        if isinstance(answer, Skipped):
            self.inspection.skipped.append((delivery.id, answer.reason))
            return
        who = delivery.key, delivery.row, delivery.address
        files = answer.files if isinstance(answer, Sound) else ()
        may_have = [composer.note_owner(note, *who) for note in files]
        if not isinstance(answer, Sound) or not all(may_have):
            await self._check_row(delivery, composer)
            return
        self.inspection.overview.count(delivery, answer.size, self._language_column)
        self.inspection.linting.take(answer.notices, delivery.row, delivery.address)
        await self._files.take(delivery, answer.files)

    def _looked_at_one(self) -> None:
        self._place += 1
        if self._place % STEP == 0:
            self._watch.checking(self._place, self.inspection.rows)

    async def _batches(
        self, enrolment: Enrolment
    ) -> AsyncIterator[tuple[list[Delivery], datetime]]:
        """The pass's rows that are to be sent, and the instant to see them at."""
        after = 0
        while batch := await enrolment.rows(after=after, limit=BATCH):
            yield await self._files.expected(batch), moment(self._clock.time())
            after = batch[-1].id

    async def _check_row(self, delivery: Delivery, composer: AnyComposer) -> None:
        try:
            mail = await composer.draft(delivery, moment(self._clock.time()))
        except RowSkipped as skipped:
            self.inspection.skipped.append((delivery.id, skipped.reason))
        except RowFaults as error:
            self.inspection.faults.add(error.faults)
            reason = "; ".join(fault.message for fault in error.faults)
            self.inspection.unfit.append((delivery.id, reason))
        else:
            self.inspection.overview.count(delivery, mail.size, self._language_column)
            if self._is_close:
                self.inspection.linting.look(mail, self._place + 1)
            await self._files.note(delivery, mail)


async def enrolled(campaign: Campaign, ledger: Ledger) -> CampaignRecord:
    """A campaign that was enrolled, as the ledger has it now."""
    record = await ledger.campaign(campaign.name)
    if record is None:
        raise AssertionError("the campaign was enrolled and is not in the ledger")
    return record
