"""The options of `bulkmail send`: their help, and what they make of one another."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from bulkmail.cli.parameters import wrong_usage

if TYPE_CHECKING:
    from bulkmail.app.options import SendOptions
    from bulkmail.campaign.load import Campaign

DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Write one .eml file a recipient; no network."),
]

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where --dry-run writes. Default: outbox."),
]

Date = Annotated[
    str | None,
    typer.Option(
        metavar="ISO-8601", help="With --dry-run: the instant of composing, for equal bytes."
    ),
]

TestTo = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Send the first row's message to ADDRESS instead, without cc and bcc.",
    ),
]

Row = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="With --test-to: this row's message.")
]

Email = Annotated[
    str | None, typer.Option(metavar="A", help="With --test-to: this recipient's message.")
]

Limit = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="At most N recipients in this run.")
]

NoWait = Annotated[
    bool,
    typer.Option(
        "--no-wait", help="Wait for no deferred recipient, quota or window; leave with 75."
    ),
]

IgnoreWindow = Annotated[
    bool, typer.Option("--ignore-window", help="Send also outside the schedule's window.")
]

SkipInvalid = Annotated[
    bool,
    typer.Option("--skip-invalid", help="Let bad rows fail, and send to the others."),
]

AsNew = Annotated[
    bool,
    typer.Option("--as-new", help="Send to everybody although the name or key changed."),
]

RequireCheck = Annotated[
    bool,
    typer.Option(
        "--require-check",
        help="Refuse where anything has changed since a person last ran `bulkmail check`.",
    ),
]

TranscriptFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append the SMTP dialogue, C: and S: lines, secrets masked."),
]

Processes = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="Send by N processes, which share the servers' limits; auto: as many as pay.",
    ),
]

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", help="Say what the run uses: event loop, processes, how each server speaks."
    ),
]

LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(help="How the log in .bulkmail/ is written: text, or JSON, a record an attempt."),
]

Json = Annotated[
    bool,
    typer.Option("--json", help="Print the summary as JSON, the last line; no progress bar."),
]

Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


#: More than any machine that sends mail has processors.
MOST_PROCESSES = 256


def refuse_contradictions(options: SendOptions) -> None:
    """Refuse options that say nothing together, rather than let one of them be ignored."""
    if options.processes != 1 and (options.dry_run or options.test_to is not None):
        raise wrong_usage("--processes divides a run; --dry-run and --test-to are none.")
    if options.out is not None and not options.dry_run:
        raise wrong_usage("--out says where --dry-run writes; without --dry-run it means nothing.")
    if options.date is not None and not options.dry_run:
        raise wrong_usage("--date fixes the instant of a --dry-run; what is sent has its own.")
    if options.row is not None and options.email is not None:
        raise wrong_usage("--row and --email both choose the recipient; give one of them.")
    if (options.row is not None or options.email is not None) and options.test_to is None:
        raise wrong_usage("--row and --email choose whose message --test-to gets; give --test-to.")
    if options.require_check and (options.dry_run or options.test_to is not None):
        raise wrong_usage("--require-check is about a campaign that is sent; leave it out here.")
    if options.dry_run and options.test_to is not None:
        raise wrong_usage("--dry-run writes files and --test-to sends; give one of them.")


def parse_processes(text: str) -> int | Literal["auto"]:
    """What `--processes` asks for."""
    if text == "auto":
        return "auto"
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PROCESSES:
        return int(text)
    raise wrong_usage(
        f"--processes {text}: give a number from 1 to {MOST_PROCESSES}, or auto for as many as pay."
    )


def parse_moment(text: str | None) -> datetime | None:
    """The moment `--date` names, as it is written: with an offset or without."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise wrong_usage(_no_moment(text)) from error
    # The calendar's first and last year begin and end elsewhere than it does.
    if not MINYEAR < moment.year < MAXYEAR:
        raise wrong_usage(_no_moment(text))
    return moment


def _no_moment(text: str) -> str:
    return f"--date {text} is not a moment such as 2026-12-01T09:00:00+08:00."


def in_zone(moment: datetime, campaign: Campaign) -> datetime:
    """A moment without an offset is in the campaign's zone; the machine's where it names none."""
    if moment.tzinfo is not None:
        return moment
    zone = campaign.model.schedule.timezone
    return moment.astimezone() if zone is None else moment.replace(tzinfo=ZoneInfo(zone))
