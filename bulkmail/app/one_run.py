"""One run of one campaign, on a ledger that is open and locked: enrol, deliver, sum up."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from bulkmail.app.assembly import Surroundings, engine_for
from bulkmail.app.channel import AnyComposer
from bulkmail.app.check.personal import facts, insist
from bulkmail.app.enrolling import BATCH, Pass, enrolled
from bulkmail.app.identity import refuse_to_mail_again
from bulkmail.app.listing import opened_list
from bulkmail.app.options import SendOptions
from bulkmail.app.processes.hiring import Hiring
from bulkmail.app.processes.task import Task
from bulkmail.app.summing import Run, summary
from bulkmail.app.suppressing import Listed, Suppressions, suppressed_by
from bulkmail.app.verbosity import Modes, outlook
from bulkmail.app.watch import Watch
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList
from bulkmail.clock import Clock, moment
from bulkmail.delivery.ending import Ending, RunResult, RunSettings
from bulkmail.delivery.worker import Tally
from bulkmail.fate import Counts, State
from bulkmail.ledger import CampaignRecord, Ledger
from bulkmail.report.summary import Summary
from bulkmail.report.wording import counted, number
from bulkmail.settings import (
    Way,
    domain_limits,
    retry_settings,
)
from bulkmail.transport.transcript import Transcript


class OneRun:
    """One run of one campaign on an open, locked ledger."""

    def __init__(
        self,
        campaign: Campaign,
        options: SendOptions,
        ledger: Ledger,
        *,
        composer: AnyComposer,
        surroundings: Surroundings,
        suppressions: Suppressions,
        hiring: Hiring,
        display: Watch,
    ) -> None:
        self._campaign = campaign
        #: Addresses of the campaign's own suppression files, with a reason each.
        self._listed: list[Listed] = []
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

    async def begin(self, environ: Mapping[str, str]) -> CampaignRecord:
        """Bring the list into the ledger, or go on with an occurrence whose list is there.

        Raises `ConfigurationError` with everything that is wrong.
        """
        record = await self._begun()
        if record is not None:
            await self._learn_suppressed(None)
            await self._take_up(record)
            return record
        async with opened_list(
            self._campaign,
            self._surroundings,
            environ,
            ledger=self._ledger.path,
            occasion=self._options.occasion,
        ) as recipients:
            await self._learn_suppressed(recipients)
            return await self._enrol(recipients)

    async def _begun(self) -> CampaignRecord | None:
        """The occurrence that was begun before: its list is read once. None: it is to be read."""
        if self._options.occasion is None:
            return None
        record = await self._ledger.campaign(self._campaign.name)
        return record if record is not None and record.list_sha256 is not None else None

    async def _learn_suppressed(self, recipients: RecipientList | None) -> None:
        self._listed = suppressed_by(self._campaign)
        await self._suppressions.learn(self._campaign, recipients, self._listed, self._ledger)

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
            give_up_after=retry.give_up_after,
        )
        if doubts:
            self._watch.announce(f"{counted(doubts, 'recipient')} in doubt by a run that was cut")
        counts = await self._ledger.counts(record.id)
        # Who is held for a person is not before this run.
        ahead = replace(counts, in_doubt=counts.in_doubt - await self._ledger.held(record.id))
        to_go = ahead.pending + ahead.deferred + ahead.in_doubt
        limit = to_go if self._options.limit is None else min(to_go, self._options.limit)
        rates = [server.rates for server in servers]
        self._watch.begin(self._campaign.name, ahead, limit, rates)
        result, tally = await self._run(record, servers, transcript, limit)
        return summary(
            Run(
                campaign=self._campaign.name,
                result=result,
                counts=await self._ledger.counts(record.id),
                tally=tally,
                elapsed_seconds=self._clock.monotonic() - began,
                held=await self._held(record, result),
            ),
            ledger=self._ledger.path,
            halt=(await enrolled(self._campaign, self._ledger)).halt,
        )

    async def _held(self, record: CampaignRecord, result: RunResult) -> int | None:
        is_limited = result.ending is Ending.LIMIT
        return await self._ledger.held(record.id) if is_limited else None

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

    async def _enrol(self, recipients: RecipientList) -> CampaignRecord:
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
            await self._take_up(record)
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
        record = await enrolled(self._campaign, self._ledger)
        if not checking.inspection.faults:
            await self._ledger.set_checked(record.id, fingerprint)
        self._announce(counts, checking)
        return record

    async def _take_up(self, record: CampaignRecord) -> None:
        """Go on with a list that is in the ledger already, and is not read again."""
        await self._ledger.rejudge(record.id, listed=self._listed)
        await _skip_again(self._ledger, record.id, self._composer, self._clock)

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


async def _skip_again(
    ledger: Ledger, campaign_id: int, composer: AnyComposer, clock: Clock
) -> None:
    """Judge the condition anew for all who wait on a list that was not read again."""
    if not composer.may_skip:
        return
    after = 0
    while rows := await ledger.rows(
        campaign_id, after=after, limit=BATCH, states=[State.PENDING, State.DEFERRED]
    ):
        after = rows[-1].id
        now = moment(clock.time())
        reasons = ((row.id, composer.skips(row, now)) for row in rows)
        await ledger.skip_rows(campaign_id, [(id_, why) for id_, why in reasons if why])
