"""`bulkmail check`: all that can be known before sending."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkmail.cli.faults import fault_json, fault_lines
from bulkmail.cli.output import complain, say, say_json
from bulkmail.cli.parameters import CampaignArgument, JsonOption, LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.errors import EXIT_OK, EXIT_USAGE, ConfigurationError, Fault
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, number, size

if TYPE_CHECKING:
    from bulkmail.app.check.checking import CheckReport
    from bulkmail.app.check.overview import Overview


def check(
    campaign: CampaignArgument,
    *,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Also connect, log in, ask the DNS and the unsubscribe link.",
        ),
    ] = False,
    as_new: Annotated[
        bool,
        typer.Option("--as-new", help="For `send --as-new`: the name or key may be another one."),
    ] = False,
    json: JsonOption = False,
    ledger: LedgerOption = None,
) -> None:
    """Find every fault before anything is sent.

    Renders the message of every recipient and looks up every attachment, without a network.
    Exit code 0: it can be sent. 2: something is wrong, and each fault is named with its place.
    What was checked is kept in the ledger, for `send --require-check`.

    Example: bulkmail check offer-letter
    """
    try:
        place = ledger_path(ledger)
        result = run(_check(campaign, online=online, as_new=as_new, quiet=json, ledger=place))
    except ConfigurationError as error:
        if not json:
            raise
        say_json(_refusal_json(error.faults))
        raise typer.Exit(EXIT_USAGE) from error
    if json:
        say_json(_report_json(result))
    else:
        _show(result, campaign)
    raise typer.Exit(EXIT_OK if _is_well(result) else EXIT_USAGE)


async def _check(
    text: str, *, online: bool, as_new: bool, quiet: bool, ledger: Path | None
) -> CheckReport:
    from bulkmail.app.check import checking
    from bulkmail.cli.campaigns import open_whole
    from bulkmail.report.progress import display

    opened = await open_whole(text)
    with display(sys.stderr, quiet=quiet) as watch:
        return await checking.check(
            opened, online=online, as_new=as_new, watch=watch, ledger=ledger
        )


def _is_well(report: CheckReport) -> bool:
    return not report.faults and not any(finding.is_fault for finding in report.lines)


def _show(report: CheckReport, typed: str) -> None:
    for finding in report.lines:
        say(f"{finding.mark} {visible(finding.sentence)}")
    for notice in report.notices:
        say(visible(notice))
    for line in fault_lines(report.faults):
        complain(line)
    if report.faults:
        return
    duplicates = (
        f" ({counted(report.duplicates, 'duplicate row')} left out)" if report.duplicates else ""
    )
    is_well = _is_well(report)
    found = "No fault found." if is_well else "No fault in its files, but ✗ above."
    say(
        f"{'✓' if is_well else '✗'} {visible(report.campaign)}: "
        f"{counted(report.total, 'recipient')}{duplicates},"
        f" {_at_most(report)} a message at most. {found}"
    )
    for line in _overview(report.overview):
        say(f"  {visible(line)}")
    if is_well:
        from bulkmail.cli.campaigns import again

        say(f"See what one gets:  bulkmail preview {again(typed, None)}")


def _overview(overview: Overview) -> Iterator[str]:
    """Whom the list is made of, where that says more than their number."""
    if overview.domains.total() > 1:
        yield f"In all {size(overview.total_bytes)}."
    if len(overview.domains) > 1:
        yield f"Providers: {_counts(overview.providers())}."
        yield f"Domains: {_counts(overview.top_domains())}."
    if overview.languages:
        yield f"Languages: {_counts(dict(overview.languages.most_common()))}."


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number(count)}" for name, count in counts.items())


def _at_most(report: CheckReport) -> str:
    if report.texts is None:
        return size(report.overview.largest_bytes)
    return counted(report.texts.most_segments, "segment")


def _report_json(report: CheckReport) -> dict[str, object]:
    return {
        "campaign": report.campaign,
        "ok": _is_well(report),
        "total": report.total,
        "duplicates": report.duplicates,
        "largest_bytes": report.overview.largest_bytes,
        "total_bytes": report.overview.total_bytes,
        "providers": report.overview.providers(),
        "domains": report.overview.top_domains(),
        "languages": dict(report.overview.languages.most_common()),
        "segments": None if report.texts is None else report.texts.segments,
        "faults": [fault_json(fault) for fault in report.faults],
        "notices": list(report.notices),
        "online": [
            {"ok": line.is_good, "text": line.sentence, "advice": line.is_advice}
            for line in report.lines
        ],
    }


def _refusal_json(faults: tuple[Fault, ...]) -> dict[str, object]:
    """The same object for a campaign whose files cannot even be read."""
    return {
        "campaign": None,
        "ok": False,
        "total": None,
        "duplicates": None,
        "largest_bytes": None,
        "total_bytes": None,
        "providers": {},
        "domains": {},
        "languages": {},
        "segments": None,
        "faults": [fault_json(fault) for fault in faults],
        "notices": [],
        "online": [],
    }
