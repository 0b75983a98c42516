"""`bulkmail report`: a row a recipient."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.running import run
from bulkmail.fate import State
from bulkmail.report.terminal import visible


class Format(enum.StrEnum):
    """How the rows are written."""

    CSV = "csv"
    JSON = "json"


def report(
    campaign: RecordArgument,
    *,
    format: Annotated[  # noqa: A002  # the option's name is the contract's
        Format, typer.Option("--format", help="CSV, or one JSON object a line.")
    ] = Format.CSV,
    state: Annotated[State | None, typer.Option(help="Only rows in this state.")] = None,
    ledger: LedgerOption = None,
) -> None:
    """Print what became of everybody, a row each.

    State, reason, attempts, server, stage, reply and Message-ID of every recipient.
    In CSV a cell that a spreadsheet would run as a formula begins with an apostrophe; JSON is
    exact.

    Example: bulkmail report offer-letter --state failed --format json
    """
    run(_report(campaign, format, state, ledger_path(ledger)))


async def _report(campaign: str, form: Format, state: State | None, ledger: Path | None) -> None:
    from bulkmail.app import records

    rows = records.report(Path.cwd(), campaign, state=state, ledger=ledger)
    lines = _csv_lines(rows) if form is Format.CSV else _json_lines(rows)
    is_terminal = sys.stdout.isatty()
    # From the outer one to the inner: where nobody reads any more, the ledger is closed in turn.
    async with contextlib.aclosing(rows), contextlib.aclosing(lines):
        async for line in lines:
            if not say(visible(line) if is_terminal else line):
                return


async def _csv_lines(rows: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[str, None]:
    from bulkmail.report.export import CsvWriter

    writer = CsvWriter()
    has_header = False
    async for row in rows:
        if not has_header:
            yield writer.header(row)
            has_header = True
        yield writer.line(row)
    if not has_header:
        yield writer.header()


async def _json_lines(rows: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[str, None]:
    from bulkmail.report.export import json_line

    async for row in rows:
        yield json_line(row)
