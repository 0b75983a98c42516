"""Who a campaign is in the ledger: what would mail everybody a second time is refused."""

from __future__ import annotations

import os
from pathlib import Path

from bulkmail.address import parse_mailbox
from bulkmail.app.faults import FaultList
from bulkmail.app.places import ledgers_above
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.occurrence_name import series_of
from bulkmail.clock import Clock
from bulkmail.errors import ConfigurationError, Fault, LedgerError
from bulkmail.ledger import CampaignRecord, Ledger


def ledger_name_of_file(campaign: Campaign) -> str:
    """How the ledger remembers the campaign's file: its path from the project root."""
    return Path(os.path.relpath(campaign.path.resolve(), campaign.root.resolve())).as_posix()


def from_domain(campaign: Campaign) -> str:
    """The domain of From, as an A-label: that of every Message-ID.

    Where From is a template, the domain it is written with; `localhost` where that is one too, and
    for text messages, which are from nobody.
    """
    text = campaign.model.from_
    try:
        return parse_mailbox(text).address.domain
    except ValueError:
        domain = text.rpartition("@")[2].strip(" >")
        return (
            domain.lower()
            if domain and domain.isascii() and not set(domain) & set("{}% ")
            else "localhost"
        )


async def refuse_another_ledger(campaign: Campaign, own: Path, clock: Clock) -> None:
    """Raise `ConfigurationError` when a ledger above holds this campaign: the root has moved.

    `own` is the ledger to be used, its path resolved.
    """
    for path in ledgers_above(campaign.path.parent):
        if path == own:
            continue
        try:
            ledger = await Ledger.open(path, clock=clock, read_only=True)
        except LedgerError as error:
            raise ConfigurationError(_unreadable(path, error)) from error
        try:
            record = await ledger.campaign(campaign.name)
        finally:
            await ledger.close()
        if record is not None and record.generation:
            raise ConfigurationError(
                Fault(
                    message=f"the ledger {path} already holds the campaign {campaign.name}: "
                    f"sending by {own} would mail everybody again. Go on with the first one: "
                    f"--ledger {path}"
                )
            )


def _unreadable(path: Path, error: LedgerError) -> Fault:
    return Fault(
        message=f"the ledger {path} may hold this campaign and cannot be read ({error}): "
        "name the ledger to use with --ledger"
    )


async def refuse_to_mail_again(
    ledger: Ledger,
    campaign: Campaign,
    *,
    list_sha256: str,
    key_column: str | None,
    fingerprint: str,
) -> None:
    """Raise `ConfigurationError` with all by which everybody would be mailed once more."""
    faults = FaultList()
    record = await ledger.campaign(campaign.name)
    with faults.collecting():
        await refuse_new_name(ledger, campaign)
    before = record or await ledger.campaign_at(ledger_name_of_file(campaign))
    with faults.collecting():
        refuse_new_key(campaign, before, key_column)
    faults.complain()
    if record is None or not record.generation:
        await refuse_moved_file(ledger, campaign, list_sha256, fingerprint)


async def refuse_new_name(ledger: Ledger, campaign: Campaign) -> None:
    """Raise `ConfigurationError` when this file was sent under another name, and not this one."""
    path = ledger_name_of_file(campaign)
    known = await ledger.campaign_at(path)
    if known is None or not known.generation or known.name == campaign.name:
        return
    before = await ledger.campaign(campaign.name)
    if before is not None and before.generation and before.path == path:
        return  # It had this name already: who has a message by it is known.
    series, own = series_of(known.name), series_of(campaign.name)
    if series == own:
        return
    if series != known.name:
        raise ConfigurationError(
            campaign.fault(
                ("name",),
                f"this file's occurrences were sent as {series}; as {own} it would be a series of "
                "its own, that knows of none of them. Keep the old name, or give the new series a "
                "file of its own",
            )
        )
    raise ConfigurationError(
        campaign.fault(
            ("name",),
            f"this file was sent as {known.name}; as {campaign.name} it would mail everybody "
            f"again. Keep the old name, or: bulkmail rename {known.name} {campaign.name}, "
            "or --as-new",
        )
    )


async def refuse_moved_file(
    ledger: Ledger, campaign: Campaign, list_sha256: str, fingerprint: str
) -> None:
    """Raise `ConfigurationError` when this is a file that was sent under the name it had before.

    Known by what is the same: the former file is gone, and list, templates and keys are what they
    were.
    """
    if series_of(campaign.name) != campaign.name:
        return  # An occurrence is a campaign of its own each time.
    for known in await ledger.campaigns():
        if (
            known.list_sha256 == list_sha256
            and series_of(known.name) == known.name
            and not (campaign.root / known.path).exists()
            and known.fingerprint == fingerprint
        ):
            raise ConfigurationError(
                campaign.fault(
                    ("name",),
                    f"this was sent as {known.name}, by {known.path}, which is gone; as "
                    f"{campaign.name} it would mail everybody again. Put the file back, or: "
                    f"bulkmail rename {known.name} {campaign.name}, or --as-new",
                )
            )


def refuse_new_key(campaign: Campaign, record: CampaignRecord | None, key: str | None) -> None:
    """Raise `ConfigurationError` when the key column changed: nobody would be recognised."""
    if record is None or not record.generation or record.key_column == (key or ""):
        return
    was = f"column {record.key_column}" if record.key_column else "the address"
    now = f"column {key}" if key else "the address"
    raise ConfigurationError(
        campaign.fault(
            ("recipients", "key"),
            f"the key was {was} and is now {now}: everybody would be mailed again. "
            "Put it back, or: --as-new",
        )
    )
