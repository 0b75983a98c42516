"""`bulkmail rename`: a campaign goes on under another name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its name in the ledger.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name it is to have.")],
    *,
    ledger: LedgerOption = None,
) -> None:
    """Give a campaign another name in the ledger.

    For a campaign whose `name` was changed in its file: who was sent to stays sent to.

    Example: bulkmail rename offer offer-2026
    """
    from bulkmail.app import records

    run(records.rename(Path.cwd(), old, new, ledger_path(ledger)))
    say(visible(f"{old} is {new} from now on."))
    say(visible(f"How it stands:  bulkmail status {new}"))
