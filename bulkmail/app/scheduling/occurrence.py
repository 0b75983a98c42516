"""One time that a campaign is due: begun or gone on with, and its end written down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from bulkmail.app.assembly import Surroundings
from bulkmail.app.enrolling import Pass, enrolled
from bulkmail.app.interrupts import Interrupts
from bulkmail.app.listing import opened_list
from bulkmail.app.options import Occasion, SendOptions
from bulkmail.app.scheduling.campaign_folder import Scheduled
from bulkmail.app.scheduling.shared_pools import SharedPools
from bulkmail.app.sending import send_in
from bulkmail.app.suppressing import suppressed_by
from bulkmail.app.watch import Watch
from bulkmail.campaign.load import Campaign
from bulkmail.clock import Clock
from bulkmail.delivery.control import Control
from bulkmail.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    EXIT_WAITING,
    CampaignBusy,
    ConfigurationError,
    Interrupted,
    NobodyToSendTo,
    SourceUnavailable,
)
from bulkmail.ledger import CampaignRecord, Ledger, OccurrenceRecord
from bulkmail.report.log import Form
from bulkmail.report.summary import Summary
from bulkmail.report.wording import counted
from bulkmail.value_class import value_class

#: Seconds after which a wait for `until` looks at the clock again, which may have been set.
_GLANCE = 30.0


class Voice(Protocol):
    """Whoever is told what a scheduler does. Calls are cheap and never raise."""

    def say(self, sentence: str) -> None:
        """One line."""
        ...

    def complain(self, campaign: str, error: ConfigurationError) -> None:
        """A campaign's file, or a row, is wrong."""
        ...

    def ended(self, summary: Summary) -> None:
        """A run is over."""
        ...

    def watching(self, campaign: str) -> contextlib.AbstractContextManager[Watch]:
        """Who watches one campaign's run."""
        ...


@value_class(kw_only=True)
class Setting:
    """What all runs of a scheduler share."""

    ledger: Ledger
    #: The ledger that was named; None: the project's.
    given: Path | None
    clock: Clock
    environ: Mapping[str, str]
    voice: Voice
    pools: SharedPools
    #: Whether runs stay for deferred recipients, spent quotas and shut windows.
    is_waiting: bool
    #: How many send what can be sent at once; what waits then is one process's.
    processes: int | Literal["auto"] = 1
    log_format: Form = "text"


class OccurrenceRun:
    """One run of one occurrence. Raises `LedgerError` alone."""

    def __init__(
        self,
        scheduled: Scheduled,
        occurrence: OccurrenceRecord,
        setting: Setting,
        *,
        too_late: str = "",
    ) -> None:
        self._until = scheduled.timetable.until
        self._is_series = scheduled.timetable.is_series
        self._too_late = too_late
        self._setting = setting
        self._book = setting.ledger.series()
        self.occurrence = occurrence
        self._campaign = replace(scheduled.campaign, name=occurrence.campaign)
        self._control = Control(setting.clock)
        self._interrupts: Interrupts | None = None
        self._is_stopped = False

    @property
    def name(self) -> str:
        """The ledger's name of its campaign."""
        return self.occurrence.campaign

    def signalled(self) -> None:
        """Somebody wants it to end: the first time gracefully, the second time at once."""
        self._is_stopped = True
        if self._interrupts is not None:
            self._interrupts.signalled()

    async def run(self) -> int:
        """Go as far as can be gone now; the exit code it would have as a `send`."""
        with self._setting.voice.watching(self.name) as watch:
            interrupts = Interrupts(self._control, watch)
            surroundings = Surroundings(
                clock=self._setting.clock,
                control=self._control,
                watch=watch,
                interrupts=interrupts,
                ends=self._setting.pools.ends,
                stock=self._setting.pools,
            )
            self._interrupts = interrupts
            if self._is_stopped:
                return EXIT_INTERRUPTED
            try:
                with interrupts.attended():
                    return await self._run(surroundings)
            except Interrupted:
                return EXIT_INTERRUPTED

    async def _run(self, surroundings: Surroundings) -> int:
        if self._too_late:
            return await self._skip(surroundings, self._too_late)
        last_run = await self._book.last_read(self.occurrence.series, self.occurrence.due_at)
        now = None
        if not await self._is_enrolled():
            # What one list ends at the next one begins with: the same instant to the bit.
            now = await self._book.begin(self.occurrence)
        elif not self._is_series:
            # It was due before, too late perhaps: this is another time.
            await self._book.in_time_again((await self._enrolled()).id)
        occasion = Occasion(series=self.occurrence.series, last_run=last_run, now=now)
        options = SendOptions(
            log_format=self._setting.log_format,
            no_wait=not self._setting.is_waiting,
            ledger=self._setting.given,
            occasion=occasion if self._is_series else None,
        )
        try:
            with self._ended_in_time():
                return await self._judged(await self._sent(options, surroundings))
        except NobodyToSendTo:
            await self._book.end(self.occurrence, "nobody", "nobody to send to")
            self._setting.voice.say(f"{self.name}: nobody to send to.")
            return EXIT_OK
        except ConfigurationError as error:
            return await self._troubled(error)

    async def _sent(self, options: SendOptions, surroundings: Surroundings) -> Summary:
        """By several processes what can go at once, then by this one what has to wait.

        So the servers' connections are not kept from other runs for as long as that.
        """
        environ = self._setting.environ
        if self._setting.processes != 1:
            together = replace(options, processes=self._setting.processes, no_wait=True)
            summary = await send_in(self._campaign, together, surroundings, environ)
            if options.no_wait or summary.exit_code != EXIT_WAITING or self._control.is_stopping:
                return summary
        return await send_in(self._campaign, options, surroundings, environ)

    async def _is_enrolled(self) -> bool:
        record = await self._setting.ledger.campaign(self.name)
        return record is not None and record.generation > 0

    async def _troubled(self, error: ConfigurationError) -> int:
        """Nothing was sent: it stays open, and is tried again."""
        first = error.faults[0].message if error.faults else str(error)
        more = f", and {len(error.faults) - 1} more" if len(error.faults) > 1 else ""
        await self._book.note(self.occurrence, f"{first}{more}")
        self._setting.voice.complain(self.name, error)
        waits = isinstance(error, CampaignBusy | SourceUnavailable)
        return EXIT_WAITING if waits else EXIT_USAGE

    async def _judged(self, summary: Summary) -> int:
        """Write down how it stands."""
        counts = summary.counts
        if counts.pending + counts.deferred and self._is_past():
            return await self._cut_short(summary)
        is_left = counts.pending + counts.deferred + counts.sending > 0
        # Doubts that are to be sent again are waited for, too: 75.
        if not is_left and summary.exit_code in {EXIT_OK, EXIT_FAILED}:
            await self._book.end(self.occurrence, "done")
        elif summary.exit_code != EXIT_INTERRUPTED:
            await self._book.note(self.occurrence, summary.stopped or "something still waits")
        self._setting.voice.ended(summary)
        return summary.exit_code

    async def _enrolled(self) -> CampaignRecord:
        return await enrolled(self._campaign, self._setting.ledger)

    async def _cut_short(self, summary: Summary) -> int:
        reason = "too late: its `until` has passed"
        record_id = (await self._enrolled()).id
        with self._setting.ledger.lock(self.name):
            await self._book.too_late(record_id, reason)
        counts = await self._setting.ledger.counts(record_id)
        await self._book.end(self.occurrence, "done", reason)
        self._setting.voice.ended(
            replace(summary, counts=counts, interrupted=False, exit_code=EXIT_OK)
        )
        return EXIT_FAILED if counts.failed or counts.in_doubt else EXIT_OK

    async def _skip(self, surroundings: Surroundings, reason: str) -> int:
        """Enrol everybody, so that each row says why it got nothing."""
        ledger = self._setting.ledger
        try:
            with ledger.lock(self.name):
                if not await self._is_enrolled():
                    await _enrol_unchecked(
                        self._campaign, ledger, surroundings, self._setting.environ
                    )
                record_id = (await self._enrolled()).id
                await ledger.cut_off(record_id)
                count = await self._book.too_late(record_id, reason)
        except CampaignBusy as error:
            return await self._troubled(error)
        except ConfigurationError as error:
            await self._book.end(self.occurrence, "too late", reason)
            self._setting.voice.say(f"{self.name}: {reason}; its list cannot be read: {error}")
            return EXIT_OK
        await self._book.end(self.occurrence, "too late", reason)
        self._setting.voice.say(f"{self.name}: {reason}. {counted(count, 'recipient')} suppressed.")
        return EXIT_OK

    def _is_past(self) -> bool:
        return self._until is not None and self._setting.clock.time() > self._until

    @contextlib.contextmanager
    def _ended_in_time(self) -> Iterator[None]:
        """Stop what is under way when it is too late for the rest."""
        if self._until is None:
            yield
            return
        timer = asyncio.create_task(self._stop_at(self._until))
        try:
            yield
        finally:
            timer.cancel()

    async def _stop_at(self, until: float) -> None:
        clock = self._setting.clock
        while (left := until - clock.time()) >= 0:
            await clock.sleep(min(left + 0.001, _GLANCE))
        self._control.stop()


async def _enrol_unchecked(
    campaign: Campaign, ledger: Ledger, surroundings: Surroundings, environ: Mapping[str, str]
) -> None:
    """Bring the list into the ledger for nobody to be sent to: templates are of no account."""
    enrolling = Pass(campaign, None, ledger=ledger, surroundings=surroundings)
    async with opened_list(campaign, surroundings, environ, ledger=ledger.path) as recipients:
        await enrolling.run(recipients, suppressed_by(campaign), skip_invalid=True)
