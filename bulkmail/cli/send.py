"""`bulkmail send`: send a campaign, or go on sending it."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from bulkmail.cli import send_options as options
from bulkmail.cli.output import complain, is_one_stream, say, say_json
from bulkmail.cli.parameters import CampaignArgument, LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.errors import EXIT_STOPPED
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.app.options import SendOptions
    from bulkmail.app.processes.nursery import Nursery
    from bulkmail.report.summary import Summary


def send(
    campaign: CampaignArgument,
    *,
    dry_run: options.DryRun = False,
    out: options.Out = None,
    date: options.Date = None,
    test_to: options.TestTo = None,
    row: options.Row = None,
    email: options.Email = None,
    limit: options.Limit = None,
    no_wait: options.NoWait = False,
    ignore_window: options.IgnoreWindow = False,
    skip_invalid: options.SkipInvalid = False,
    as_new: options.AsNew = False,
    require_check: options.RequireCheck = False,
    transcript: options.TranscriptFile = None,
    ledger: LedgerOption = None,
    processes: options.Processes = "1",
    verbose: options.Verbose = False,
    log_format: options.LogFormat = "text",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Send a campaign, or go on sending it.

    Says what it will do, never prompts, and can be stopped and run again at any moment: who
    was sent to is not sent to again. Exit code 0: everybody has it. 1: some failed for good.
    2: nothing was sent, something is wrong. 3: stopped early. 75: something still waits, run it
    again later. 130: interrupted.

    Example: bulkmail send offer-letter --limit 10
    """
    from bulkmail.app.options import SendOptions

    with _refusals(campaign, ledger, json=json, dry_run=dry_run, test_to=test_to):
        asked = SendOptions(
            dry_run=dry_run,
            out=out,
            date=options.parse_moment(date),
            test_to=test_to,
            row=row,
            email=email,
            limit=limit,
            no_wait=no_wait,
            ignore_window=ignore_window,
            skip_invalid=skip_invalid,
            as_new=as_new,
            require_check=require_check,
            transcript=transcript,
            ledger=ledger_path(ledger),
            log_format=log_format,
            processes=options.parse_processes(processes),
            verbose=verbose,
            handle_signals=True,
        )
        options.refuse_contradictions(asked)
        with _children(asked) as nursery:
            sent = _send(campaign, asked, nursery, quiet=quiet, bar=not json)
            summary, has_told = run(sent, is_fast=True)
    if not has_told:
        _complain_in_lines(summary.stopped if summary.exit_code == EXIT_STOPPED else "")
    _tell(summary, campaign, asked, quiet=quiet, json=json)
    raise typer.Exit(summary.exit_code)


def _refusals(
    campaign: str, ledger: str | None, *, json: bool, dry_run: bool, test_to: str | None
) -> contextlib.AbstractContextManager[None]:
    """What tells of a run that came to no summary: as JSON where that was asked for."""
    if not json:
        return contextlib.nullcontext()
    from bulkmail.cli.refusal import refused_as_json

    return refused_as_json(campaign, ledger, dry_run=dry_run, test_to=test_to)


def _children(asked: SendOptions) -> contextlib.AbstractContextManager[Nursery | None]:
    """The processes that were asked for, forked while this one has neither loop nor thread."""
    count = 1 if asked.processes == "auto" else asked.processes
    if count == 1 or asked.dry_run or asked.test_to is not None:
        return contextlib.nullcontext()
    from bulkmail.app.processes import child
    from bulkmail.app.processes.nursery import Nursery

    return Nursery(count, child.main)


async def _send(
    text: str, asked: SendOptions, nursery: Nursery | None, *, quiet: bool, bar: bool
) -> tuple[Summary, bool]:
    """The run's summary, and whether the progress still says why it stopped."""
    from bulkmail.app import sending
    from bulkmail.app.assembly import Surroundings
    from bulkmail.cli.campaigns import open_whole
    from bulkmail.report.progress import display

    campaign = await open_whole(text, None if asked.dry_run else os.environ)
    if asked.date is not None:
        asked = replace(asked, date=options.in_zone(asked.date, campaign))
    with display(sys.stderr, quiet=quiet, bar=bar) as watch:
        if nursery is None:
            summary = await sending.send(campaign, asked, watch=watch)
        else:
            surroundings = Surroundings.ordinary(watch, nursery)
            summary = await sending.send_as(campaign, asked, surroundings, os.environ)
    return summary, watch.has_told(summary.stopped)


def _tell(summary: Summary, typed: str, asked: SendOptions, *, quiet: bool, json: bool) -> None:
    if summary.exit_code == EXIT_STOPPED:
        _complain_in_lines(summary.stopped_detail, indent="  ")
    if json:
        say_json(summary.to_json() | {"faults": []})
    elif not quiet:
        _tell_person(summary, typed, asked)


def _complain_in_lines(text: str, indent: str = "") -> None:
    """Several servers have a line each."""
    for line in text.splitlines():
        complain(f"{indent}{visible(line)}")


def _tell_person(summary: Summary, typed: str, asked: SendOptions) -> None:
    from bulkmail.cli.campaigns import again

    say(_dated(visible(summary.sentence()), summary.campaign))
    # Progress began with it: who reads both streams has read it.
    if summary.ledger is not None and not asked.dry_run and not is_one_stream():
        say(f"Ledger: {visible(str(summary.ledger))}")
    commands = summary.next_commands(again(typed, asked.ledger))
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
