"""What `send --json` prints where it ends before there is a summary: the same object.

A script reads the last line of stdout whatever the exit code is, so it is there whatever that is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bulkmail.cli.faults import fault_json
from bulkmail.cli.output import say_json
from bulkmail.cli.running import run
from bulkmail.errors import (
    EXIT_FAULT_OF_OURS,
    EXIT_INTERRUPTED,
    BulkmailError,
    CampaignBusy,
    ConfigurationError,
    Interrupted,
    shortage,
)
from bulkmail.fate import Counts
from bulkmail.report.summary import Summary
from bulkmail.report.wording import counted


@contextlib.contextmanager
def refused_as_json(
    campaign: str, ledger: str | None, *, dry_run: bool, test_to: str | None
) -> Iterator[None]:
    """Print the summary of a run that raises, with its faults, before the error goes on.

    The counts are the ledger's, where a run before it left some; a dry run and a test message have
    none.
    """
    began = time.monotonic()
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        rehearses = dry_run or test_to is not None
        try:
            name, counts = (_name(campaign), Counts()) if rehearses else _standing(campaign, ledger)
        except Exception:  # noqa: BLE001  # a module half loaded at the signal; no memory for it
            name, counts = _typed(campaign), Counts()
        if isinstance(error, CampaignBusy):
            # What the other run has on its way is not in doubt: it is under way.
            counts = replace(counts, pending=counts.pending + counts.sending, sending=0)
        code = _exit_code(error)
        summary = Summary(
            campaign=name,
            counts=counts,
            elapsed_seconds=time.monotonic() - began,
            sent_in_run=0,
            failed_in_run=0,
            exit_code=code,
            dry_run=dry_run,
            test_to=test_to,
            interrupted=code == EXIT_INTERRUPTED,
            stopped=_why(error),
        )
        faults = error.faults if isinstance(error, ConfigurationError) else ()
        say_json(summary.to_json() | {"faults": [fault_json(fault) for fault in faults]})
        if isinstance(error, KeyboardInterrupt):
            # One that comes through is one that nobody has told of.
            raise Interrupted("Interrupted.") from error
        raise


def say_untold(error: BulkmailError, words: Sequence[str]) -> None:
    """Print the summary of a `send` that ended before it began, by a signal or for its options.

    `words` are what stands behind `send`: the campaign is the one among them that is there.
    """
    campaign = next(filter(_is_campaign, words), "")
    refused = refused_as_json(campaign, None, dry_run="--dry-run" in words, test_to=None)
    with contextlib.suppress(BulkmailError), refused:
        raise error


def _is_campaign(word: str) -> bool:
    from bulkmail.campaign.find import find_campaign

    try:
        return bool(find_campaign(word, Path.cwd()))
    except ConfigurationError:
        return False


def _exit_code(error: BaseException) -> int:
    told = shortage(error) or error
    if isinstance(told, BulkmailError):
        return told.exit_code
    return EXIT_INTERRUPTED if isinstance(told, KeyboardInterrupt) else EXIT_FAULT_OF_OURS


def _why(error: BaseException) -> str:
    """In a sentence: the faults themselves may be thousands, and have a key of their own."""
    if isinstance(error, ConfigurationError) and len(error.faults) > 1:
        more = counted(len(error.faults) - 1, "more fault")
        return f"{error.faults[0]}; and {more}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted before anything was sent"
    if isinstance(error, BulkmailError):
        return str(error)
    return str(shortage(error) or f"a fault of bulkmail's own ({type(error).__name__}: {error})")


def _standing(campaign: str, ledger: str | None) -> tuple[str, Counts]:
    """The campaign's name and counts, by a ledger that may not be there, or be none."""
    from bulkmail.app import records
    from bulkmail.cli.parameters import ledger_path

    try:
        found = run(records.status(Path.cwd(), campaign, ledger_path(ledger)))
    except BulkmailError:
        return _name(campaign), Counts()
    return found[0].name, found[0].counts


def _name(campaign: str) -> str:
    """The campaign's name; of a file that is none, as it was typed."""
    from bulkmail.cli.campaigns import open_campaign

    try:
        return open_campaign(campaign).name
    except BulkmailError:
        return _typed(campaign)


def _typed(campaign: str) -> str:
    return Path(campaign).stem if campaign.endswith((".yaml", ".yml")) else campaign
