"""`bulkmail send`: send a campaign, or go on sending it."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from bulkmail.cli.output import complain, say, say_json
from bulkmail.cli.parameters import CampaignArgument, LedgerOption, ledger_path, wrong_usage
from bulkmail.cli.running import run
from bulkmail.errors import EXIT_STOPPED
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.app.options import SendOptions
    from bulkmail.campaign.load import Campaign
    from bulkmail.report.summary import Summary


def send(
    campaign: CampaignArgument,
    *,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write one .eml file a recipient; no network."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where --dry-run writes. Default: outbox."),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="ISO-8601", help="With --dry-run: the instant of composing, for equal bytes."
        ),
    ] = None,
    test_to: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Send the first row's message to ADDRESS instead, without cc and bcc.",
        ),
    ] = None,
    row: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With --test-to: this row's message.")
    ] = None,
    email: Annotated[
        str | None, typer.Option(metavar="A", help="With --test-to: this recipient's message.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="At most N recipients in this run.")
    ] = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait", help="Wait for no deferred recipient, quota or window; leave with 75."
        ),
    ] = False,
    ignore_window: Annotated[
        bool, typer.Option("--ignore-window", help="Send also outside the schedule's window.")
    ] = False,
    skip_invalid: Annotated[
        bool,
        typer.Option("--skip-invalid", help="Let bad rows fail, and send to the others."),
    ] = False,
    as_new: Annotated[
        bool,
        typer.Option("--as-new", help="Send to everybody although the name or key changed."),
    ] = False,
    transcript: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Append the SMTP dialogue, C: and S: lines, secrets masked."
        ),
    ] = None,
    ledger: LedgerOption = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print the summary as JSON, the last line; no progress bar."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Send a campaign, or go on sending it.

    Says what it will do, never prompts, and can be stopped and run again at any moment: who
    was sent to is not sent to again. Exit code 0: everybody has it. 1: some failed for good.
    2: nothing was sent, something is wrong. 3: stopped early. 75: something still waits, run it
    again later. 130: interrupted.

    Example: bulkmail send offer-letter --limit 10
    """
    _refuse_contradictions(
        dry_run=dry_run, out=out, date=date, test_to=test_to, row=row, email=email
    )
    from bulkmail.app.options import SendOptions

    options = SendOptions(
        dry_run=dry_run,
        out=out,
        date=_moment(date),
        test_to=test_to,
        row=row,
        email=email,
        limit=limit,
        no_wait=no_wait,
        ignore_window=ignore_window,
        skip_invalid=skip_invalid,
        as_new=as_new,
        transcript=transcript,
        ledger=ledger_path(ledger),
        handle_signals=True,
    )
    summary = run(_send(campaign, options, quiet=quiet, bar=not json))
    _tell(summary, campaign, options, quiet=quiet, json=json)
    raise typer.Exit(summary.exit_code)


def _refuse_contradictions(
    *,
    dry_run: bool,
    out: Path | None,
    date: str | None,
    test_to: str | None,
    row: int | None,
    email: str | None,
) -> None:
    """Refuse options that say nothing together, rather than let one of them be ignored."""
    if out is not None and not dry_run:
        raise wrong_usage("--out says where --dry-run writes; without --dry-run it means nothing.")
    if date is not None and not dry_run:
        raise wrong_usage("--date fixes the instant of a --dry-run; what is sent has its own.")
    if row is not None and email is not None:
        raise wrong_usage("--row and --email both choose the recipient; give one of them.")
    if (row is not None or email is not None) and test_to is None:
        raise wrong_usage("--row and --email choose whose message --test-to gets; give --test-to.")
    if dry_run and test_to is not None:
        raise wrong_usage("--dry-run writes files and --test-to sends; give one of them.")


def _moment(text: str | None) -> datetime | None:
    """The moment `--date` names, as it is written: with an offset or without."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()  # some calendars' ends are no moments everywhere
    except (ValueError, OverflowError, OSError) as error:
        raise wrong_usage(
            f"--date {text} is not a moment such as 2026-12-01T09:00:00+08:00."
        ) from error
    return moment


def _in_zone(moment: datetime, campaign: Campaign) -> datetime:
    """A moment without an offset is in the campaign's zone; the machine's where it names none."""
    if moment.tzinfo is not None:
        return moment
    zone = campaign.model.schedule.timezone
    return moment.astimezone() if zone is None else moment.replace(tzinfo=ZoneInfo(zone))


async def _send(text: str, options: SendOptions, *, quiet: bool, bar: bool) -> Summary:
    from bulkmail.app import sending
    from bulkmail.cli.campaigns import open_campaign
    from bulkmail.report.progress import display

    campaign = open_campaign(text)
    if options.date is not None:
        options = replace(options, date=_in_zone(options.date, campaign))
    with display(sys.stderr, quiet=quiet, bar=bar) as watch:
        return await sending.send(campaign, options, watch=watch)


def _tell(summary: Summary, typed: str, options: SendOptions, *, quiet: bool, json: bool) -> None:
    if summary.exit_code == EXIT_STOPPED and summary.stopped:
        complain(visible(summary.stopped))
        if summary.stopped_detail:
            complain(f"  {visible(summary.stopped_detail)}")
    if json:
        say_json(summary.to_json())
    elif not quiet:
        _tell_person(summary, typed, options)


def _tell_person(summary: Summary, typed: str, options: SendOptions) -> None:
    from bulkmail.cli.campaigns import again

    say(_dated(visible(summary.sentence()), summary.campaign))
    if summary.ledger is not None and not options.dry_run:
        say(f"Ledger: {visible(str(summary.ledger))}")
    commands = summary.next_commands(again(typed, options.ledger))
    width = max(len(label) for label, _ in commands) + 1
    for label, command in commands:
        say(f"{label + ':':<{width}}  {visible(command)}")


def _dated(sentence: str, campaign: str) -> str:
    """The sentence as it stands: with its date and campaign where no one looks on."""
    if sys.stdout.isatty():
        return sentence
    import time

    from bulkmail.report.wording import local

    return f"{local(time.time())} {visible(campaign)}: {sentence}"
