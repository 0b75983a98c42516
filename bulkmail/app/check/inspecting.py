"""A look at everything that a send would use: for `check`, and before each run."""

from __future__ import annotations

from collections.abc import Mapping

from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import AnyComposer, composer_of
from bulkmail.app.check.inspection import Inspection
from bulkmail.app.check.personal import facts
from bulkmail.app.check.rest import composer_of_the_rest
from bulkmail.app.enrolling import Pass
from bulkmail.app.faults import FaultList
from bulkmail.app.identity import refuse_to_mail_again
from bulkmail.app.listing import opened_list
from bulkmail.app.suppressing import Listed, suppressed_by
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList
from bulkmail.errors import Fault
from bulkmail.ledger import Ledger


async def inspect(
    campaign: Campaign,
    *,
    ledger: Ledger,
    surroundings: Surroundings,
    environ: Mapping[str, str],
    skip_invalid: bool,
    notes: Ledger | None = None,
    is_close: bool = False,
) -> tuple[Inspection, AnyComposer | None]:
    """Look at everything that a send would use, with `ledger` as scratch paper.

    Faults are in the result, all of them; the composer is None where templates are at fault. With
    `skip_invalid` the rows are enrolled all the same, and those at fault are failed. With `notes`
    a person checks, and that ledger keeps it. `is_close`: as in a `Pass`.
    """
    faults = FaultList()
    composer = None
    with faults.collecting():
        composer = composer_of(campaign)
    checker = composer_of_the_rest(campaign, faults) if faults else composer
    checking = Pass(
        campaign,
        checker,
        ledger=ledger,
        surroundings=surroundings,
        notes=notes,
        is_close=is_close,
    )
    listed: list[Listed] = []
    with faults.collecting():
        listed = suppressed_by(campaign)
    with faults.collecting():
        async with opened_list(campaign, surroundings, environ) as recipients:
            checking.inspection.notice = recipients.notice
            if notes is not None and (made := composer) is not None:
                checking.inspection.facts = facts(campaign, made, recipients)
                checking.inspection.repeated = await _repeated(notes, campaign, made, recipients)
            await checking.run(recipients, listed, skip_invalid=skip_invalid)
    faults.add(checking.inspection.faults)
    checking.inspection.faults = faults
    return checking.inspection, composer


async def _repeated(
    ledger: Ledger, campaign: Campaign, composer: AnyComposer, recipients: RecipientList
) -> tuple[Fault, ...]:
    """Why nobody could be sent to but by `--as-new`."""
    found = FaultList()
    with found.collecting():
        await refuse_to_mail_again(
            ledger,
            campaign,
            list_sha256=recipients.sha256(),
            key_column=recipients.key_column,
            fingerprint=composer.fingerprint(),
        )
    return tuple(found)
