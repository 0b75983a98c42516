"""`bulkmail schedule`: what is due when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkmail.cli.output import complain, say, say_json
from bulkmail.cli.parameters import JsonOption, LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.clock import moment, rfc3339
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, local, number

if TYPE_CHECKING:
    from bulkmail.app.scheduling.agenda import Coming, Listed, Past
    from bulkmail.errors import ConfigurationError
    from bulkmail.fate import Counts
    from bulkmail.ledger import OccurrenceRecord

schedule = typer.Typer(
    help="Show what is due when, and what became of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_Campaign = Annotated[
    str | None, typer.Argument(metavar="CAMPAIGN", help="A campaign's name. Default: all.")
]


@schedule.command("list")
def list_(
    campaign: _Campaign = None, *, ledger: LedgerOption = None, json: JsonOption = False
) -> None:
    """List the campaigns with a schedule, and when each is due next.

    Example: bulkmail schedule list
    """
    found = run(_listed(campaign, ledger_path(ledger)))
    if json:
        say_json([_listed_json(one) for one in found])
        return
    for one in found:
        zone = f" {one.timezone}" if one.timezone else ""
        coming = "due no more" if one.next is None else f"next {_when(one.next)}"
        last = f"; last {_outcome(one.last)}" if one.last else ""
        say(visible(f"{one.campaign}   {one.rule}{zone}   {coming}{last}"))
    if not found:
        say("No campaign has `schedule: {at: …}` or `{every: …}`.")


@schedule.command("next")
def next_(
    campaign: _Campaign = None,
    *,
    count: Annotated[
        int, typer.Option("--count", metavar="N", min=1, max=1000, help="Times of each campaign.")
    ] = 5,
    ledger: LedgerOption = None,
    json: JsonOption = False,
) -> None:
    """Show when campaigns are due next.

    Each time stands there in the campaign's zone, and in this machine's.

    Example: bulkmail schedule next --count 3
    """
    found = run(_coming(campaign, count, ledger_path(ledger)))
    if json:
        say_json([_coming_json(one) for one in found])
        return
    for one in found:
        say(visible(f"{one.campaign}   {_when(one)}"))
    if not found:
        say("Nothing is due.")


@schedule.command("history")
def history(
    campaign: _Campaign = None, *, ledger: LedgerOption = None, json: JsonOption = False
) -> None:
    """Show what ran, what was skipped, and why.

    Example: bulkmail schedule history
    """
    found = run(_history(campaign, ledger_path(ledger)))
    if json:
        say_json([_past_json(one) for one in found])
        return
    for one in found:
        counts = "" if one.counts is None else f"   {_counted(one.counts)}"
        due = local(one.occurrence.due_at)
        say(visible(f"{due}   {one.occurrence.campaign}   {_outcome(one.occurrence)}{counts}"))
    if not found:
        say("Nothing was due yet: `bulkmail run` was not at work when something was.")


async def _listed(campaign: str | None, ledger: Path | None) -> list[Listed]:
    from bulkmail.app.scheduling.agenda import agenda

    async with agenda(Path.cwd(), ledger) as (found, errors):
        _tell(errors)
        return await found.listed(campaign)


async def _coming(campaign: str | None, count: int, ledger: Path | None) -> list[Coming]:
    from bulkmail.app.scheduling.agenda import agenda

    async with agenda(Path.cwd(), ledger) as (found, errors):
        _tell(errors)
        return await found.coming(campaign, count)


async def _history(campaign: str | None, ledger: Path | None) -> list[Past]:
    from bulkmail.app.scheduling.agenda import agenda

    async with agenda(Path.cwd(), ledger) as (found, _):
        return await found.history(campaign)


def _tell(errors: list[ConfigurationError]) -> None:
    from bulkmail.cli.faults import fault_lines

    for error in errors:
        for line in fault_lines(error.faults, "It is due at no time like this."):
            complain(line)


def _when(coming: Coming) -> str:
    here = local(coming.due_at)
    opens = "" if coming.begins_at == coming.due_at else f", from {local(coming.begins_at)} on"
    return f"{coming.local} ({here} here{opens})"


def _outcome(occurrence: OccurrenceRecord) -> str:
    what: str = occurrence.outcome or "under way, or waits"
    why = f": {occurrence.reason}" if occurrence.reason else ""
    if occurrence.outcome and occurrence.reason.startswith(occurrence.outcome):
        what, why = occurrence.reason, ""
    missed = f" ({counted(occurrence.missed, 'earlier one')} with it)" if occurrence.missed else ""
    return f"{what}{why}{missed}"


def _counted(counts: Counts) -> str:
    return ", ".join(_states(counts)) or "nobody"


def _states(counts: Counts) -> Iterator[str]:
    for state in ("sent", "failed", "deferred", "pending", "suppressed", "in_doubt"):
        if count := getattr(counts, state):
            yield f"{number(count)} {state.replace('_', ' ')}"


def _coming_json(coming: Coming) -> dict[str, Any]:
    return {
        "campaign": coming.campaign,
        "due_at": rfc3339(coming.due_at),
        "begins_at": rfc3339(coming.begins_at),
        "due_in_its_zone": coming.local,
        "due_here": moment(coming.due_at).astimezone().isoformat(timespec="seconds"),
    }


def _listed_json(listed: Listed) -> dict[str, Any]:
    return {
        "campaign": listed.campaign,
        "path": listed.path,
        "rule": listed.rule,
        "timezone": listed.timezone or None,
        "next": None if listed.next is None else _coming_json(listed.next),
        "occurrences": listed.occurrences,
        "last": None if listed.last is None else _occurrence_json(listed.last),
    }


def _past_json(past: Past) -> dict[str, Any]:
    counts = past.counts
    states = ("pending", "sending", "sent", "deferred", "failed", "suppressed", "in_doubt")
    return _occurrence_json(past.occurrence) | {
        "counts": None if counts is None else {state: getattr(counts, state) for state in states}
    }


def _occurrence_json(occurrence: OccurrenceRecord) -> dict[str, Any]:
    ended_at = occurrence.ended_at
    return {
        "series": occurrence.series,
        "campaign": occurrence.campaign,
        "due_at": rfc3339(occurrence.due_at),
        "missed": occurrence.missed,
        "begun_at": rfc3339(occurrence.begun_at),
        "ended_at": None if ended_at is None else rfc3339(ended_at),
        "outcome": occurrence.outcome,
        "reason": occurrence.reason or None,
    }
