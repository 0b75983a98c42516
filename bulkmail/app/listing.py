"""The list of a campaign, opened: fetched first, where it is in a database or behind an address."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bulkmail.app.assembly import Surroundings
from bulkmail.app.options import Occasion
from bulkmail.app.places import ledger_path
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList, open_recipients


@contextlib.asynccontextmanager
async def opened_list(
    campaign: Campaign,
    surroundings: Surroundings,
    environ: Mapping[str, str],
    *,
    ledger: Path | None = None,
    occasion: Occasion | None = None,
) -> AsyncIterator[RecipientList]:
    """The list, for as long as the context lasts; it can be read more than once.

    What is fetched lies beside the ledger (`ledger`, or the campaign's own) where that folder is
    there, and is gone with the context. Raises `ConfigurationError`, and as one of them
    `SourceUnavailable`.
    """
    if not campaign.model.recipients.is_fetched:
        yield open_recipients(campaign)
        return
    from bulkmail.campaign.recipients.fetch import Instants, fetched  # noqa: PLC0415  # for few

    home = ledger_path(campaign, ledger).parent
    now = None if occasion is None else occasion.now
    instants = Instants(
        surroundings.clock.time() if now is None else now, occasion.last_run if occasion else None
    )
    surroundings.watch.announce("Asking for the list of recipients …")
    async with fetched(campaign, instants, environ, home) as came:
        yield open_recipients(campaign, came)
