"""Where things lie: the ledger of a project, and others that may hold the same campaign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.ledger.lost import has_lost

#: The folder the program makes at the project root (0700).
HOME = ".bulkmail"
#: The ledger's file in it.
LEDGER = "ledger.db"


def ledger_path(campaign: Campaign, given: Path | None) -> Path:
    """The ledger a campaign is sent by: the one given, that of bulkmail.yaml, or the default."""
    if given is not None:
        return given.absolute()
    named = campaign.project.ledger.path
    if named is not None:
        return (campaign.root / named).absolute()
    return campaign.root / HOME / LEDGER


def may_be_there(path: Path) -> bool:
    """Whether a ledger's file is there. One that cannot be looked at may be: opening it says why.

    It lies in a folder of another user, for one: root has sent by it.
    """
    try:
        return path.exists()
    except OSError:
        return True


def was_made(path: Path) -> bool:
    """Whether a ledger is there, or should be: opening one that is gone says that it is."""
    return may_be_there(path) or bool(has_lost(path))


def ledgers_above(folder: Path) -> Iterator[Path]:
    """Every default ledger between `folder` and the file system's root, the nearest first."""
    here = folder.resolve()
    for place in (here, *here.parents):
        path = place / HOME / LEDGER
        if may_be_there(path):
            yield path


def nearest_ledger(where: Path) -> Path:
    """The ledger that a command without a campaign file means, seen from `where`.

    Raises `ConfigurationError` where there is none.
    """
    for path in ledgers_above(where):
        return path
    raise ConfigurationError(
        Fault(
            message=f"no ledger here: nothing was sent yet from {where} or a folder above it "
            "(--ledger PATH names one)",
        )
    )
