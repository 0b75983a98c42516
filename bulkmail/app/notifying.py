"""Telling somebody how a run ended: `on_finish` and `on_failure`.

What cannot be told is said and logged; it changes nothing of who was sent to, and no exit code.
Nobody is told twice of the same: the ledger keeps how things stood when they were told last.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bulkmail.address import parse_mailbox
from bulkmail.app.assembly import Surroundings
from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.notification import NotificationModel
from bulkmail.campaign.secret_reference import SecretReference
from bulkmail.campaign.values import is_template
from bulkmail.clock import Clock, rfc3339
from bulkmail.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STOPPED,
    BulkmailError,
    ConfigurationError,
)
from bulkmail.fate import State
from bulkmail.ledger import CampaignRecord, Ledger
from bulkmail.message.extra import MissingExtra
from bulkmail.report.notice import MOST_ROWS, notice_json, notice_mail
from bulkmail.report.summary import Summary
from bulkmail.secret import Secret
from bulkmail.settings import ServerSettings, Way
from bulkmail.transport.webhook import NotTold, Webhook, post
from bulkmail.value_class import value_class

#: Seconds that telling one of them may take in all.
LONGEST = 60.0
#: Seconds that are waited for a server's turn, where its pace is slow.
_PATIENCE = 30.0


@value_class
class _Entry:
    """One who is told; exactly one of them is given."""

    mail: tuple[str, ...] = ()
    webhook: Webhook | None = None

    @property
    def shown(self) -> str:
        """Who it is, without a secret."""
        return ", ".join(self.mail) if self.webhook is None else "the webhook"


class Notices:
    """Whom a campaign tells of its end, their secrets looked up."""

    def __init__(self, campaign: Campaign, environ: Mapping[str, str]) -> None:
        """Raises `ConfigurationError` where a secret is not to be had: before anything is sent."""
        self._campaign = campaign
        self._environ = environ
        model = campaign.model
        self._on_finish = self._entries("on_finish", model.on_finish)
        self._on_failure = self._entries("on_failure", model.on_failure)
        for key, entries in (("on_finish", self._on_finish), ("on_failure", self._on_failure)):
            if model.channel == "sms" and any(entry.mail for entry in entries):
                message = "text messages go by a gateway, which takes no mail: use a `webhook`"
                raise ConfigurationError(campaign.fault((key,), message))

    async def tell(
        self,
        summary: Summary,
        record: CampaignRecord,
        ledger: Ledger,
        servers: Sequence[Way],
        surroundings: Surroundings,
    ) -> None:
        """Tell whoever is to be told of this end. Never raises for what goes wrong with it."""
        events = self._events(summary)
        if not events:
            return
        counts = summary.counts
        stood = f"{summary.exit_code} {counts.sent} {counts.failed} {summary.in_doubt}"
        if await ledger.notified(record.id) == stood:
            return
        telling = _Telling(
            self._campaign,
            summary,
            record=record,
            ledger=ledger,
            servers=[server for server in servers if isinstance(server, ServerSettings)],
            clock=surroundings.clock,
        )
        is_told = True
        for event, entry in events:
            try:
                async with asyncio.timeout(LONGEST):
                    await telling.tell(event, entry)
            except TimeoutError:
                problem = f"not within {LONGEST:.0f} s"
            except (NotTold, BulkmailError, MissingExtra, ValueError, OSError) as error:
                problem = str(error) or type(error).__name__
            else:
                continue
            is_told = False
            sentence = f"{entry.shown} could not be told how it ended: {problem}"
            # The log is among those who watch.
            surroundings.watch.announce(sentence)
        if is_told:
            await ledger.set_notified(record.id, stood)

    def _events(self, summary: Summary) -> list[tuple[str, _Entry]]:
        """Who is told of what; an entry that stands in both is told once."""
        code = summary.exit_code
        is_over = code in {EXIT_OK, EXIT_FAILED} and not summary.unsent
        failed = code == EXIT_STOPPED or (is_over and code == EXIT_FAILED)
        told = [("failure", entry) for entry in self._on_failure if failed]
        told += [
            ("finish", entry)
            for entry in self._on_finish
            if is_over and not (failed and entry in self._on_failure)
        ]
        return told

    def _entries(self, key: str, models: Sequence[NotificationModel]) -> list[_Entry]:
        return [
            _Entry(
                mail=model.mail,
                webhook=None if model.webhook is None else self._webhook((key, number), model),
            )
            for number, model in enumerate(models)
        ]

    def _webhook(self, loc: Loc, model: NotificationModel) -> Webhook:
        url = self._secret((*loc, "webhook"), model.webhook)
        if url is None:
            raise AssertionError("asked for where there is one")
        hook = Webhook(url, self._secret((*loc, "secret"), model.secret))
        try:
            _ = hook.host
        except NotTold as problem:
            raise ConfigurationError(
                self._campaign.fault((*loc, "webhook"), str(problem))
            ) from problem
        return hook

    def _secret(self, loc: Loc, reference: SecretReference | None) -> Secret | None:
        if reference is None:
            return None
        folders = (self._campaign.folder, self._campaign.root)
        try:
            return reference.look_up(folders, self._environ)
        except ValueError as error:
            raise ConfigurationError(self._campaign.fault(loc, str(error))) from error


class _Telling:
    """The end of one run, to be told."""

    def __init__(
        self,
        campaign: Campaign,
        summary: Summary,
        *,
        record: CampaignRecord,
        ledger: Ledger,
        servers: Sequence[ServerSettings],
        clock: Clock,
    ) -> None:
        self._campaign = campaign
        self._summary = summary
        self._record = record
        self._ledger = ledger
        self._servers = servers
        self._clock = clock

    async def tell(self, event: str, entry: _Entry) -> None:
        """Raises `NotTold`, or what else came in between."""
        if entry.webhook is not None:
            body = notice_json(self._summary, event, self._clock.time())
            await post(entry.webhook, body, self._clock)
        else:
            await self._mail(entry.mail)

    async def _mail(self, to: tuple[str, ...]) -> None:
        # Of no use to a run that tells nobody by mail, and not free to import.
        from bulkmail.transport.client import SMTPClient  # noqa: PLC0415

        if self._summary.exit_code == EXIT_STOPPED:
            # A login that was refused is not tried once more, and a lock-out not risked.
            raise NotTold("no server works, and mail would go by the same ones")
        mail = notice_mail(
            self._summary,
            await self._failures(),
            sender=self._sender(to),
            to=to,
            at=self._clock.time(),
        )
        envelope_from = self._reverse_path()
        problems = []
        for server in self._servers:
            try:
                await self._turn(server)
                async with SMTPClient.of_server(server, clock=self._clock) as client:
                    result = await client.send_message(mail, sender=envelope_from)
            except (NotTold, BulkmailError) as error:
                problems.append(f"{server.name}: {error}")
                continue
            if result.is_accepted and not result.refused:
                return
            decisive = result.decisive
            replies = result.refused or ({} if decisive is None else {"": decisive[1]})
            refused = ", ".join(f"{who} {reply}".strip() for who, reply in replies.items())
            problems.append(f"{server.name} refused it: {refused}")
            if result.is_accepted:
                break  # the others have it
        raise NotTold("; ".join(problems) or "there is no server")

    async def _turn(self, server: ServerSettings) -> None:
        """Wait for the server's limits: this mail counts as any other."""
        run = self._ledger.run(self._record.id, owner="notice")
        until = self._clock.monotonic() + _PATIENCE
        while True:
            permit = await run.take(server.name, server.rates, 1)
            for slot in permit.slots:
                await self._clock.sleep(slot - self._clock.time())
                return
            wait = permit.again_at - self._clock.time()
            if permit.spent is not None or self._clock.monotonic() + wait > until:
                what = f" ({permit.spent})" if permit.spent else ""
                raise NotTold(f"its limit is used up{what}, until {rfc3339(permit.again_at)}")
            await self._clock.sleep(wait)

    async def _failures(self) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        for state in (State.FAILED, State.IN_DOUBT):
            async for row in self._ledger.report(self._record.id, state):
                if len(rows) == MOST_ROWS:
                    return rows
                values = dataclasses.asdict(row)
                rows.append(values | {"updated_at": rfc3339(row.updated_at)})
        return rows

    def _sender(self, to: tuple[str, ...]) -> str:
        """The campaign's From; where only a row tells what it is, whoever is told."""
        text = self._campaign.model.from_ or ""
        return to[0] if is_template(text) or not text else text

    def _reverse_path(self) -> str | None:
        """The campaign's, where it is the same for all rows; None: From's address."""
        text = self._campaign.model.return_path
        if text is None or is_template(text):
            return None
        return parse_mailbox(text).address.wire if text else ""
