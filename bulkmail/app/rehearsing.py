"""The same road with another end: a dry run's files, and a test message to oneself.

Both enrol the list on scratch paper; the real ledger is read for its suppression list, and for what
the campaign's Message-IDs are made of.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bulkmail.app.assembly import Surroundings, engine, pools, transcribing
from bulkmail.app.channel import (
    AnyComposer,
    address_of,
    as_listed,
    composer_of,
    noun_of,
    suffix_of,
    ways_of,
)
from bulkmail.app.enrolling import Pass, enrolled
from bulkmail.app.listing import opened_list
from bulkmail.app.options import SendOptions
from bulkmail.app.scratch import real_ledger, scratch_ledger
from bulkmail.app.summing import Run, summary
from bulkmail.app.suppressing import Suppressions, suppressed_by
from bulkmail.campaign.load import Campaign
from bulkmail.delivery.ending import RunSettings
from bulkmail.delivery.worker import Compose
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Delivery, State
from bulkmail.ledger import Ledger, MemoryLedger, NewRow
from bulkmail.message.keyring import Keyring
from bulkmail.message.mail_object import MailObject
from bulkmail.report.summary import Summary
from bulkmail.settings import RetrySettings, Security, ServerSettings
from bulkmail.transport.eml import HANDFUL, EmlTransport

#: Messages made side by side: while a handful of files is written, the next ones are made.
WRITERS = 3 * HANDFUL
#: Where a dry run writes unless it is told.
OUTBOX = Path("outbox")


async def dry_run(
    campaign: Campaign,
    options: SendOptions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> Summary:
    """Write one .eml a recipient, signed with the keys that are at hand.

    Raises `ConfigurationError` with everything that is wrong.
    """
    began = surroundings.clock.monotonic()
    suppressions = Suppressions()
    keyring = Keyring.at_hand(campaign, environ)
    composer = composer_of(campaign, is_suppressed=suppressions, keyring=keyring)
    for notice in keyring.notices():
        surroundings.watch.announce(notice)
    out = options.out or OUTBOX
    async with scratch_ledger(surroundings.clock) as ledger:
        campaign_id = await _enrolled(
            campaign,
            composer,
            options,
            suppressions,
            scratch=ledger,
            surroundings=surroundings,
            environ=environ,
        )
        files = EmlTransport(out, campaign.name, suffix=suffix_of(campaign))
        await files.prepare()
        counts = await ledger.counts(campaign_id)
        limit = counts.pending if options.limit is None else min(counts.pending, options.limit)
        surroundings.watch.begin(campaign.name, counts, limit)
        run, tally = engine(
            [(_nobody(files.name), files)],
            surroundings,
            ledger=ledger.run(campaign_id, owner="dry run"),
            compose=_composing(composer, options.date),
            retry=RetrySettings(),
            shut_until=None,
            settings=RunSettings(limit=options.limit, is_waiting=False),
        )
        result = await surroundings.interrupts.cuttable(run.run())
        return summary(
            Run(
                campaign=campaign.name,
                result=result,
                counts=await ledger.counts(campaign_id),
                tally=tally,
                elapsed_seconds=surroundings.clock.monotonic() - began,
            ),
            out=files.folder,
        )


async def send_test(
    campaign: Campaign,
    options: SendOptions,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> Summary:
    """Send one row's message to `options.test_to` instead, under a Message-ID of its own."""
    to = _test_address(campaign, options.test_to or "")
    servers = ways_of(campaign, environ)
    composer = composer_of(campaign, keyring=Keyring.whole(campaign, environ))
    async with scratch_ledger(surroundings.clock) as ledger:
        campaign_id = await _enrolled(
            campaign,
            composer,
            options,
            Suppressions(),
            scratch=ledger,
            surroundings=surroundings,
            environ=environ,
        )
        delivery = await chosen(campaign, ledger, campaign_id, row=options.row, email=options.email)
        await _refuse_who_gets_nothing(campaign, ledger, campaign_id, delivery)
    began = surroundings.clock.monotonic()
    paper = MemoryLedger(clock=surroundings.clock)
    try:
        campaign_id = await _one_row(paper, campaign, delivery)
        async with transcribing(options.transcript, surroundings.watch.announce) as transcript:
            run, tally = engine(
                pools(servers, surroundings.clock, transcript),
                surroundings,
                ledger=paper.run(campaign_id, owner="test"),
                compose=_composing(composer, None, only_to=to),
                retry=RetrySettings(resend_on_doubt=False),
                shut_until=None,
                settings=RunSettings(is_waiting=False),
            )
            surroundings.watch.begin(campaign.name, await paper.counts(campaign_id), 1)
            result = await surroundings.interrupts.cuttable(run.run())
        run_over = Run(
            campaign=campaign.name,
            result=result,
            counts=await paper.counts(campaign_id),
            tally=tally,
            elapsed_seconds=surroundings.clock.monotonic() - began,
        )
        return replace(summary(run_over, test_to=to), test_of=_choice(options))
    finally:
        await paper.close()


def _choice(options: SendOptions) -> str:
    """The options by which a row was chosen, to be typed again."""
    if options.row is not None:
        return f" --row {options.row}"
    return "" if options.email is None else f" --email {shlex.quote(options.email)}"


async def chosen(
    campaign: Campaign, ledger: Ledger, campaign_id: int, *, row: int | None, email: str | None
) -> Delivery:
    """The row a person asked for, the first that gets something where they did not.

    Raises `ConfigurationError` where there is none such.
    """
    if row is None and email is None:
        first = await ledger.rows(campaign_id, limit=1, states=[State.PENDING])
        if first:
            return first[0]
        counts = await ledger.counts(campaign_id)
        if not counts.failed:
            why = "all are suppressed"
        elif counts.suppressed:
            why = "all are suppressed, or bad rows"
        else:
            why = "all are bad rows"
        raise ConfigurationError(
            campaign.fault(("recipients",), f"nobody on the list gets a message: {why}")
        )
    email = as_listed(campaign, email)
    delivery = await ledger.delivery(campaign_id, row=row, email=email)
    if delivery is None:
        who = f"row {row}" if row is not None else str(email)
        raise ConfigurationError(campaign.fault(("recipients",), f"the list holds no {who}"))
    return delivery


async def _refuse_who_gets_nothing(
    campaign: Campaign, ledger: Ledger, campaign_id: int, delivery: Delivery
) -> None:
    """Raise `ConfigurationError` where the row is suppressed, or skipped as a bad one."""
    after = delivery.id - 1
    first = await ledger.rows(campaign_id, after=after, limit=1, states=[State.PENDING])
    if not first or first[0].id != delivery.id:
        who = f"row {delivery.row}, {delivery.address}, gets nothing: it is suppressed or bad"
        raise ConfigurationError(campaign.fault(("recipients",), who))


async def _enrolled(
    campaign: Campaign,
    composer: AnyComposer,
    options: SendOptions,
    suppressions: Suppressions,
    *,
    scratch: Ledger,
    surroundings: Surroundings,
    environ: Mapping[str, str],
) -> int:
    """The list on scratch paper, all suppression applied; the campaign's id there."""
    listed = suppressed_by(campaign)
    async with (
        opened_list(
            campaign, surroundings, environ, ledger=options.ledger, occasion=options.occasion
        ) as recipients,
        real_ledger(campaign, options.ledger, surroundings.clock) as ledger,
    ):
        await suppressions.learn(campaign, recipients, listed, ledger)
        for entry in await ledger.suppression().all():
            listed.append((entry.address, "on the suppression list"))
        known = await ledger.campaign(campaign.name)
        checking = Pass(
            campaign,
            composer,
            ledger=scratch,
            surroundings=surroundings,
            domain=known.from_domain if known else None,
            origin=await ledger.origin(campaign.name),
        )
        await checking.run(recipients, listed, skip_invalid=options.skip_invalid)
    return (await enrolled(campaign, scratch)).id


def _composing(
    composer: AnyComposer, date: datetime | None, *, only_to: str | None = None
) -> Compose:
    """How the engine has a message made: at its own instant, or at the one that was asked for."""

    async def compose(delivery: Delivery, instant: datetime) -> MailObject:
        return await composer.compose(delivery, date or instant, only_to=only_to)

    return compose


async def _one_row(paper: Ledger, campaign: Campaign, delivery: Delivery) -> int:
    """A ledger of this one row, under a Message-ID nobody has seen."""
    domain = delivery.message_id.rpartition("@")[2]
    enrolment = await paper.begin(campaign.name, path="", key_column="")
    row = NewRow(
        row=delivery.row,
        key=delivery.key,
        address=delivery.address,
        domain="",
        fields=delivery.fields,
        message_id=f"<test.{secrets.token_hex(16)}@{domain}",
    )
    await enrolment.add([row])
    await enrolment.complete(list_sha256="")
    return enrolment.campaign_id


def _test_address(campaign: Campaign, text: str) -> str:
    try:
        return address_of(campaign, text)
    except ValueError as error:
        raise ConfigurationError(
            Fault(message=f"--test-to `{text}` is not {noun_of(campaign)}: {error}")
        ) from error


def _nobody(name: str) -> ServerSettings:
    """What stands for a server's settings where there is none."""
    return ServerSettings(name=name, host="", port=0, security=Security.NONE, connections=WRITERS)
