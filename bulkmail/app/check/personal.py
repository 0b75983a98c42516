"""What a person checked, held against what is to be sent: `send --require-check`.

`check` keeps in the ledger what it looked at, part by part with a digest each, when it found no
fault. It is the one thing that `check` writes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bulkmail.app.channel import AnyComposer
from bulkmail.app.identity import ledger_name_of_file
from bulkmail.app.opening import open_ledger
from bulkmail.app.places import ledger_path
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList
from bulkmail.clock import Clock
from bulkmail.errors import ConfigurationError, Fault, LedgerError
from bulkmail.ledger import Ledger, PersonalCheck
from bulkmail.report.wording import local


def facts(campaign: Campaign, composer: AnyComposer, recipients: RecipientList) -> dict[str, str]:
    """Every part of a campaign, as its user names it, and its digest.

    The campaign's file, bulkmail.yaml, the list, its `suppress:` files (who leaves one would get a
    letter), templates and shared files. Rows' own files are notes of their own.
    """
    found = composer.parts()
    found[ledger_name_of_file(campaign)] = _digest(campaign.path)
    if campaign.project_path is not None:
        found[campaign.project_path.name] = _digest(campaign.project_path)
    for index, text in enumerate(campaign.model.suppress):
        found[text] = _digest(campaign.resolve(text, loc=("suppress", index)))
    name = campaign.model.recipients.path
    found[f"the list {name}" if name else "the list"] = recipients.sha256()
    return found


def insist(campaign: Campaign, check: PersonalCheck | None, now: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` with every part that is not as a person checked it."""
    if check is None:
        sentence = (
            f"--require-check: nobody ran `bulkmail check {campaign.name}` without a fault on this "
            "ledger yet. Run it, then send"
        )
        raise ConfigurationError(Fault(message=sentence))
    changes = [
        f"{part} {_change(part, check.facts, now)}"
        for part in sorted({*check.facts, *now})
        if check.facts.get(part) != now.get(part)
    ]
    if changes:
        when = f"since `bulkmail check` ran on {local(check.at)}. Run it again, then send"
        raise ConfigurationError(
            *(Fault(message=f"--require-check: {change} {when}") for change in changes)
        )


def _change(part: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if part not in before:
        return "came to the campaign"
    return "has changed" if part in now else "is no longer in the campaign"


def _digest(path: Path) -> str:
    """Raises `ConfigurationError` where the file is gone by now."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror or error}"
        raise ConfigurationError(Fault(message=sentence)) from error


@contextlib.asynccontextmanager
async def notebook(campaign: Campaign, given: Path | None, clock: Clock) -> AsyncIterator[Ledger]:
    """The ledger that keeps what was checked, made where there is none. Raises `LedgerError`."""
    ledger = await open_ledger(ledger_path(campaign, given), campaign.project.ledger, clock)
    try:
        yield ledger
    finally:
        await ledger.close()


def not_noted(error: LedgerError) -> str:
    """What a person is told where a check could not be kept: it holds all the same."""
    return f"That this was checked is not on record, and --require-check will refuse: {error}"
