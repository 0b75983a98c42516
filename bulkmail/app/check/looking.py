"""The online part of `check`: the servers, the DNS of the sender, the way to unsubscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from bulkmail.address import parse_address, parse_mailbox
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.unsubscribe import TOKEN
from bulkmail.clock import Clock
from bulkmail.message.keyring import Keyring
from bulkmail.message.unsubscribe_token import unsubscribe_token
from bulkmail.online.dkim_record import dkim_record
from bulkmail.online.dmarc import dmarc
from bulkmail.online.dns import Dns, Unanswered
from bulkmail.online.finding import Finding, advice
from bulkmail.online.mx import mx
from bulkmail.online.one_click import one_click
from bulkmail.online.spf import spf
from bulkmail.report.wording import size
from bulkmail.settings import ServerSettings
from bulkmail.transport.probe import probe

#: A Message-ID that no recipient has: its token is good, and nobody's.
_NOBODY = "<nobody@bulkmail.invalid>"


async def look_around(
    campaign: Campaign,
    servers: Sequence[ServerSettings],
    *,
    clock: Clock,
    environ: Mapping[str, str],
    largest_bytes: int,
    dns: Dns,
) -> tuple[Finding, ...]:
    """Everything at once; findings in the order of a person's questions. Raises nothing of it."""
    keyring = Keyring.at_hand(campaign, environ)
    asked: list[Awaitable[Finding]] = [_server(server, clock, largest_bytes) for server in servers]
    asked += _domains(campaign, keyring, dns)
    if (url := _link(campaign, keyring)) is not None:
        asked.append(one_click(url))
    return tuple(await asyncio.gather(*asked))


async def _server(settings: ServerSettings, clock: Clock, largest_bytes: int) -> Finding:
    """Whether a server can be reached, takes the login, and the largest message."""

    def unheard(line: str) -> None:
        del line

    report = await probe(settings, clock=clock, tell=unheard)
    if report.error is not None:
        return Finding(is_good=False, sentence=f"{settings.name}: {report.error}")
    told = f"{settings.name}: {report.host}"
    told += f", {report.tls_version}" if report.tls_version else ", not encrypted"
    told += f", logged in by {report.login}" if report.login else ""
    limit = report.extensions.size if report.extensions is not None else None
    if limit and largest_bytes > limit:
        return Finding(
            is_good=False,
            sentence=f"{told}; it takes {size(limit)} a message, and the largest has "
            f"{size(largest_bytes)}: make attachments smaller, or use another server",
        )
    return Finding(
        is_good=True, sentence=f"{told}, up to {size(limit)} a message" if limit else told
    )


def _domains(campaign: Campaign, keyring: Keyring, dns: Dns) -> list[Awaitable[Finding]]:
    sender, return_path = _from(campaign), _return_path(campaign)
    asked: list[Awaitable[Finding]] = []
    if return_path is not None:
        asked.append(_answered("SPF", spf(dns, return_path)))
    asked += [_answered("DKIM", dkim_record(dns, key)) for key in keyring.dkim]
    if sender is not None:
        signers = [key.domain for key in keyring.dkim]
        asked.append(
            _answered("DMARC", dmarc(dns, sender, return_path=return_path, signers=signers))
        )
    domains = dict.fromkeys(name for name in (sender, return_path) if name is not None)
    asked += [_answered("MX", mx(dns, domain)) for domain in domains]
    return asked


async def _answered(what: str, finding: Awaitable[Finding]) -> Finding:
    try:
        return await finding
    except Unanswered as error:
        return advice(is_good=None, sentence=f"{what}: the DNS gave no answer ({error})")


def _from(campaign: Campaign) -> str | None:
    """The domain of From; None where only a row tells."""
    try:
        return parse_mailbox(campaign.model.from_).address.domain
    except ValueError:
        return None


def _return_path(campaign: Campaign) -> str | None:
    """The reverse-path's domain: a template may stand before the @; None where nothing is known."""
    written = campaign.model.return_path
    if written is None:
        return _from(campaign)
    try:
        return parse_address(f"x@{written.rpartition('@')[2]}").domain
    except ValueError:
        return None


def _link(campaign: Campaign, keyring: Keyring) -> str | None:
    model = campaign.model.unsubscribe
    if model is None or model.url is None or keyring.unsubscribe is None:
        return None
    return model.url.replace(TOKEN, unsubscribe_token(_NOBODY, keyring.unsubscribe))
