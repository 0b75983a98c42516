"""`bulkmail suppress`: the ledger's list of those who get nothing, from any campaign."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import complain, say, say_json
from bulkmail.cli.parameters import JsonOption, LedgerOption, ledger_path, wrong_usage
from bulkmail.cli.running import run
from bulkmail.errors import EXIT_FAILED, ConfigurationError, Fault
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, local

suppress = typer.Typer(
    help="Keep the list of who gets nothing.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS", help="Addresses.")]


@suppress.command()
def add(addresses: _Addresses, *, ledger: LedgerOption = None) -> None:
    """Add addresses to the list.

    Example: bulkmail suppress add li.wei@example.com
    """
    from bulkmail.app import records

    count = run(records.suppress_add(Path.cwd(), addresses, ledger_path(ledger)))
    others = len({address.lower() for address in addresses}) - count
    before = f" {others} {'was' if others == 1 else 'were'} on the list before." if others else ""
    say(f"{counted(count, 'address', 'addresses')} added; they get nothing from now on.{before}")
    _tell_next(ledger)


@suppress.command()
def remove(addresses: _Addresses, *, ledger: LedgerOption = None) -> None:
    """Take addresses off the list.

    They are pending again in the next run of a campaign.

    Example: bulkmail suppress remove li.wei@example.com
    """
    from bulkmail.app import records

    count = run(records.suppress_remove(Path.cwd(), addresses, ledger_path(ledger)))
    others = len({address.lower() for address in addresses}) - count
    unknown = f" {others} {'was' if others == 1 else 'were'} not on the list." if others > 0 else ""
    say(f"{counted(count, 'address', 'addresses')} removed.{unknown}")
    _tell_next(ledger)


@suppress.command("list")
def list_(*, ledger: LedgerOption = None, json: JsonOption = False) -> None:
    """Print the list: address, since when, why.

    Example: bulkmail suppress list --json
    """
    from bulkmail.app import records

    entries = run(records.suppress_list(Path.cwd(), ledger_path(ledger)))
    if json:
        from bulkmail.clock import rfc3339

        say_json(
            [
                {"email": address, "reason": reason, "added_at": rfc3339(added_at)}
                for address, reason, added_at in entries
            ]
        )
        return
    for address, reason, added_at in entries:
        if not say(visible(f"{address}  {local(added_at)}  {reason}".rstrip())):
            return


@suppress.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Files of addresses: one a line, # comments; or a CSV with an email column.",
        ),
    ],
    *,
    ledger: LedgerOption = None,
) -> None:
    """Add the addresses in files to the list.

    Example: bulkmail suppress import unsubscribed.csv
    """
    from bulkmail.app import records

    count = run(records.suppress_import(Path.cwd(), files, ledger_path(ledger)))
    say(f"{counted(count, 'address', 'addresses')} added; they get nothing from now on.")
    _tell_next(ledger)


@suppress.command()
def export(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; without it, standard output."),
    ] = None,
    *,
    ledger: LedgerOption = None,
) -> None:
    """Write the list: a CSV of email, reason, added_at.

    A file that is not called .csv has one address a line. `import` reads both back, and so does a
    campaign's `suppress:`. A file that is there is not replaced.

    Example: bulkmail suppress export unsubscribed-2026.csv
    """
    from bulkmail.app import records

    entries = run(records.suppress_list(Path.cwd(), ledger_path(ledger)))
    is_table = file is None or file.suffix.lower() == ".csv"
    lines = _csv(entries) if is_table else (address for address, _, _ in entries)
    if file is None:
        for line in lines:
            if not say(line):
                return
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as target:
            target.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise ConfigurationError(
            Fault(message=f"{file} cannot be written: {error.strerror or error}")
        ) from error
    say(f"{counted(len(entries), 'address', 'addresses')} written to {visible(str(file))}.")


@suppress.command()
def token(
    tokens: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOKEN", help="What stands in a link to unsubscribe for `{token}`."),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="More of them, one a line; `-` is standard input."),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Add the recipients whose unsubscribe tokens these are.

    A token is verified with the project's `unsubscribe.secret`, and led back to its recipient
    over the ledger. Exit code 0: all were. 1: some were not, and are named; the others are added.

    Example: bulkmail suppress token --file unsubscribed.txt
    """
    import os

    from bulkmail.app import unsubscribing

    wanted = [*(tokens or ()), *([] if file is None else _lines(file))]
    if not wanted and file is None:
        raise wrong_usage("Give tokens, or a file of them with --file.")
    where = Path.cwd()
    result = run(unsubscribing.suppress_tokens(where, wanted, os.environ, ledger_path(ledger)))
    for refused, reason in result.refused:
        complain(visible(f"{refused}: {reason}"))
    was_there = result.recognised - result.added
    before = f" ({was_there} on it before)" if was_there else ""
    say(f"{counted(result.added, 'address', 'addresses')} added{before}.")
    _tell_next(ledger)
    if result.refused:
        raise typer.Exit(EXIT_FAILED)


def _lines(file: Path) -> list[str]:
    """The words of a file that begin its lines: an endpoint may write when it was behind them."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise wrong_usage(f"--file {file} cannot be read: {error}") from error
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def _tell_next(ledger: str | None) -> None:
    option = "" if ledger is None else f" --ledger {shlex.quote(ledger)}"
    say(visible(f"The list:  bulkmail suppress list{option}"))


def _csv(entries: list[tuple[str, str, float]]) -> Iterator[str]:
    """The list's lines. Addresses are bare: a mark against spreadsheets would change them."""
    from bulkmail.clock import rfc3339

    yield "email,reason,added_at"
    for address, reason, added_at in entries:
        yield ",".join(_quoted(cell) for cell in (address, reason, rfc3339(added_at)))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell
