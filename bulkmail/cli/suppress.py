"""`bulkmail suppress`: the ledger's list of those who get nothing, from any campaign."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say, say_json
from bulkmail.cli.parameters import JsonOption, LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, local

suppress = typer.Typer(
    help="Keep the list of who gets nothing.",
    no_args_is_help=True,
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
    say(f"{counted(count, 'address', 'addresses')} added; they get nothing from now on.")
    _tell_next(ledger)


@suppress.command()
def remove(addresses: _Addresses, *, ledger: LedgerOption = None) -> None:
    """Take addresses off the list: they are pending again in the next run of a campaign.

    Example: bulkmail suppress remove li.wei@example.com
    """
    from bulkmail.app import records

    count = run(records.suppress_remove(Path.cwd(), addresses, ledger_path(ledger)))
    say(f"{counted(count, 'address', 'addresses')} removed.")
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


def _tell_next(ledger: str | None) -> None:
    option = "" if ledger is None else f" --ledger {shlex.quote(ledger)}"
    say(visible(f"The list:  bulkmail suppress list{option}"))
