"""`send`: the whole road, from a campaign's files to every recipient's fate in the ledger."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkmail.app.assembly import Surroundings, engine_for, transcribing
from bulkmail.app.channel import AnyComposer
from bulkmail.app.check.personal import facts, insist
from bulkmail.app.enrolling import Pass, skip_again
from bulkmail.app.identity import refuse_another_ledger, refuse_to_mail_again
from bulkmail.app.listing import opened_list
from bulkmail.app.opening import open_ledger
from bulkmail.app.options import SendOptions
from bulkmail.app.places import ledger_path
from bulkmail.app.preparing import if_paused, prepared
from bulkmail.app.processes.hiring import Hiring
from bulkmail.app.processes.task import Task
from bulkmail.app.summing import Run, summary
from bulkmail.app.suppressing import Listed, Suppressions, suppressed_by
from bulkmail.app.verbosity import Modes, outlook
from bulkmail.app.watch import Audience, Watch
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList
from bulkmail.delivery.ending import RunResult, RunSettings
from bulkmail.delivery.worker import Tally
from bulkmail.fate import Counts
from bulkmail.ledger import CampaignRecord, Ledger
from bulkmail.report.log import LogWatch, configure_log
from bulkmail.report.silence import Silence
from bulkmail.report.summary import Summary
from bulkmail.report.wording import counted, number
from bulkmail.settings import (
    Way,
    domain_limits,
    retry_settings,
)
from bulkmail.transport.transcript import Transcript

if TYPE_CHECKING:
    from bulkmail.app.notifying import Notices


async def send(
    campaign: Campaign,
    options: SendOptions | None = None,
    *,
    watch: Watch | None = None,
    environ: Mapping[str, str] | None = None,
) -> Summary:
    """Send a campaign, or go on sending it; return what it came to.

    Who was sent to is not sent to again. Raises `ConfigurationError` with everything that is
    wrong, nothing having been sent; `LedgerError` where the ledger cannot be written, what was
    not sent staying pending. Cancelled, it cuts the connections and leaves the ledger whole.
    """
    options = options or SendOptions()
    environ = os.environ if environ is None else environ
    surroundings = Surroundings.ordinary(watch or Silence())
    interrupts = surroundings.interrupts
    with interrupts.installed() if options.handle_signals else contextlib.nullcontext():
        if options.dry_run or options.test_to is not None:
            # Of no use to who sends, and not free to import.
            from bulkmail.app.rehearsing import dry_run, send_test  # noqa: PLC0415
        if options.dry_run:
            return await dry_run(campaign, options, surroundings, environ)
        if options.test_to is not None:
            return await send_test(campaign, options, surroundings, environ)
        return await send_in(campaign, options, surroundings, environ)


async def send_in(
    campaign: Campaign,
    options: SendOptions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> Summary:
    """`send`, in surroundings that are there already: a signal is theirs to answer."""
    suppressions = Suppressions()
    servers, composer = await prepared(campaign, suppressions, surroundings, environ)
    notices = _notices(campaign, environ)
    path = ledger_path(campaign, options.ledger)
    if options.ledger is None:
        await refuse_another_ledger(campaign, path.resolve(), surroundings.clock)
    if options.occasion is None:
        surroundings.watch.announce(f"Ledger: {path}")
    async with contextlib.AsyncExitStack() as stack:
        hiring = Hiring(campaign, options, servers, surroundings, environ)
        stack.push_async_callback(hiring.close)
        await hiring.begin()
        ledger = await open_ledger(path, campaign.project.ledger, surroundings.clock)
        stack.push_async_callback(ledger.close)
        stack.enter_context(ledger.lock(campaign.name))
        logger = stack.enter_context(configure_log(path.parent, options.log_format))
        watched = Audience(surroundings.watch, LogWatch(logger))
        if paused := await if_paused(campaign, ledger):
            return paused
        transcript = await stack.enter_async_context(
            transcribing(options.transcript, watched.announce)
        )
        plain, surroundings = surroundings, replace(surroundings, watch=watched)
        record = await _begun(campaign, options, ledger)
        opened: contextlib.AbstractAsyncContextManager[RecipientList | None] = (
            contextlib.nullcontext()
        )
        if record is None:
            opened = opened_list(
                campaign, surroundings, environ, ledger=path, occasion=options.occasion
            )
        async with opened as recipients:
            listed = suppressed_by(campaign)
            await suppressions.learn(campaign, recipients, listed, ledger)
            job = _Job(
                campaign,
                options,
                ledger,
                composer=composer,
                surroundings=surroundings,
                listed=listed,
                suppressions=suppressions,
                hiring=hiring,
                display=plain.watch,
            )
            if recipients is not None:
                record = await job.enrol(recipients)
            elif record is not None:
                await job.take_up(record)
        if record is None:
            raise AssertionError("a campaign is either begun or enrolled")
        ended = await job.deliver(record, servers, transcript)
        if notices is not None:
            await notices.tell(ended, record, ledger, servers, surroundings)
        return ended


def _notices(campaign: Campaign, environ: Mapping[str, str]) -> Notices | None:
    """Whom the campaign tells of its end; None: nobody. Raises `ConfigurationError`."""
    if not campaign.model.on_finish and not campaign.model.on_failure:
        return None
    # What it is told with is slow to import, and of no use to all others.
    from bulkmail.app.notifying import Notices  # noqa: PLC0415

    return Notices(campaign, environ)


async def _begun(campaign: Campaign, options: SendOptions, ledger: Ledger) -> CampaignRecord | None:
    """The occurrence that was begun before: its list is read once. None: it is to be read."""
    record = None if options.occasion is None else await ledger.campaign(campaign.name)
    return record if record is not None and record.list_sha256 is not None else None


class _Job:
    """One run of one campaign on an open, locked ledger."""

    def __init__(
        self,
        campaign: Campaign,
        options: SendOptions,
        ledger: Ledger,
        *,
        composer: AnyComposer,
        surroundings: Surroundings,
        listed: list[Listed],
        suppressions: Suppressions,
        hiring: Hiring,
        display: Watch,
    ) -> None:
        self._campaign = campaign
        self._listed = listed
        self._options = options
        self._ledger = ledger
        self._composer = composer
        self._surroundings = surroundings
        self._watch = surroundings.watch
        self._suppressions = suppressions
        self._hiring = hiring
        #: The watch without the log: children write that themselves.
        self._display = display
        self._clock = surroundings.clock
        #: Unlike any other run's: a claim names it.
        self._owner = uuid.uuid4().hex

    async def deliver(
        self,
        record: CampaignRecord,
        servers: tuple[Way, ...],
        transcript: Transcript | None,
    ) -> Summary:
        """Take over what an earlier run left, and send to all who wait."""
        began = self._clock.monotonic()
        retry = retry_settings(self._campaign)
        doubts = await self._ledger.recover(
            record.id,
            resend=retry.resend_on_doubt,
            due_at=self._clock.time() + retry.backoff[0],
        )
        if doubts:
            self._watch.announce(f"{counted(doubts, 'recipient')} in doubt by a run that was cut")
        counts = await self._ledger.counts(record.id)
        to_go = counts.pending + counts.deferred + counts.in_doubt
        limit = to_go if self._options.limit is None else min(to_go, self._options.limit)
        rates = [server.rates for server in servers]
        self._watch.begin(self._campaign.name, counts, limit, rates)
        result, tally = await self._run(record, servers, transcript, limit)
        return summary(
            Run(
                campaign=self._campaign.name,
                result=result,
                counts=await self._ledger.counts(record.id),
                tally=tally,
                elapsed_seconds=self._clock.monotonic() - began,
            ),
            ledger=self._ledger.path,
            halt=(await self._record()).halt,
        )

    async def _run(
        self,
        record: CampaignRecord,
        servers: tuple[Way, ...],
        transcript: Transcript | None,
        limit: int,
    ) -> tuple[RunResult, Tally]:
        settings = RunSettings(limit=self._options.limit, is_waiting=not self._options.no_wait)
        crew = await self._hiring.crew(limit)
        self._tell_more(servers, processes=1 if crew is None else crew.size)
        if crew is not None:
            result = await self._surroundings.interrupts.cuttable(
                crew.run(self._task(record, settings, transcript))
            )
            return result, crew.tally
        opening = Modes(self._watch.announce).opening if self._options.verbose else None
        run, tally = engine_for(
            self._campaign,
            self._surroundings.ends(servers, self._clock, transcript, opening=opening),
            self._surroundings,
            ledger=self._ledger.run(record.id, owner=self._owner, listed=self._listed),
            compose=self._composer.compose,
            settings=settings,
            ignore_window=self._options.ignore_window,
            limits=domain_limits(self._campaign),
        )
        return await self._surroundings.interrupts.cuttable(run.run()), tally

    def _task(
        self, record: CampaignRecord, settings: RunSettings, transcript: Transcript | None
    ) -> Task:
        """What children are given to do."""
        return Task(
            campaign=self._campaign,
            ledger=self._ledger,
            campaign_id=record.id,
            fingerprint=self._composer.fingerprint(),
            settings=settings,
            ignore_window=self._options.ignore_window,
            listed=self._listed,
            suppressed=self._suppressions.all(),
            transcript=transcript,
            watch=self._watch,
            display=self._display,
            log_format=self._options.log_format,
        )

    def _tell_more(self, servers: tuple[Way, ...], processes: int) -> None:
        if self._options.verbose:
            for sentence in outlook(servers, self._options.processes, processes):
                self._watch.announce(sentence)

    async def enrol(self, recipients: RecipientList) -> CampaignRecord:
        """Bring the list into the ledger, checked; or see that nothing of it has changed.

        Raises `ConfigurationError` with everything that is wrong, or that would mail everybody
        again.
        """
        record = await self._ledger.campaign(self._campaign.name)
        fingerprint = self._composer.fingerprint()
        if not self._options.as_new:
            await refuse_to_mail_again(
                self._ledger,
                self._campaign,
                list_sha256=recipients.sha256(),
                key_column=recipients.key_column,
                fingerprint=fingerprint,
            )
        is_strict = self._options.require_check
        if is_strict:
            check = await self._ledger.checks(self._campaign.name).by_person()
            insist(self._campaign, check, facts(self._campaign, self._composer, recipients))
        elif record is not None and self._is_unchanged(record, recipients, fingerprint):
            self._watch.announce("List and templates are as they were checked.")
            await self.take_up(record)
            return record
        if record is not None and record.fingerprint not in {None, fingerprint}:
            await self._tell_of_former_text(record)
        checking = Pass(
            self._campaign,
            self._composer,
            ledger=self._ledger,
            surroundings=self._surroundings,
            is_strict=is_strict,
        )
        skip_invalid = self._options.skip_invalid
        counts = await checking.run(recipients, self._listed, skip_invalid=skip_invalid)
        record = await self._record()
        if not checking.inspection.faults:
            await self._ledger.set_checked(record.id, fingerprint)
        self._announce(counts, checking)
        return record

    async def take_up(self, record: CampaignRecord) -> None:
        """Go on with a list that is in the ledger already, and is not read again."""
        await self._ledger.rejudge(record.id, listed=self._listed)
        await skip_again(self._ledger, record.id, self._composer, self._clock)

    def _is_unchanged(
        self, record: CampaignRecord, recipients: RecipientList, fingerprint: str
    ) -> bool:
        return (
            not self._campaign.model.only_new  # who is new changes while the list does not
            and record.fingerprint == fingerprint
            and record.checked_as == record.name  # `campaign` may stand in templates
            and record.list_sha256 is not None
            and record.list_sha256 == recipients.sha256()
        )

    async def _tell_of_former_text(self, record: CampaignRecord) -> None:
        counts = await self._ledger.counts(record.id)
        if counts.sent:
            self._watch.announce(
                f"Templates or settings have changed: {counted(counts.sent, 'recipient')} "
                "had the former text."
            )

    def _announce(self, counts: Counts, checking: Pass) -> None:
        told = [f"{self._campaign.name} → {counted(counts.total, 'recipient')}"]
        if counts.duplicates:
            told.append(f"{counted(counts.duplicates, 'duplicate row')} left out")
        if left_out := checking.inspection.left_out:
            told.append(f"{number(left_out)} left out, whom an earlier occurrence has")
        if counts.suppressed:
            told.append(f"{number(counts.suppressed)} suppressed")
        if checking.inspection.faults:
            told.append(f"{number(counts.failed)} failed, bad rows among them")
        self._watch.announce(", ".join(told))
        if checking.inspection.changed_files:
            self._watch.announce(checking.inspection.changed_files)

    async def _record(self) -> CampaignRecord:
        record = await self._ledger.campaign(self._campaign.name)
        if record is None:
            raise AssertionError("the campaign was enrolled and is not in the ledger")
        return record
