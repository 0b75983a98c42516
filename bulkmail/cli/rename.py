"""`bulkmail rename`: a campaign goes on under another name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its name in the ledger, or its file.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name it is to have.")],
    *,
    ledger: LedgerOption = None,
) -> None:
    """Give a campaign another name in the ledger.

    For a campaign whose `name` was changed in its file, or whose file was: who was sent to stays
    sent to, and all Message-IDs stay as they are. A campaign that is given the old name later gets
    Message-IDs of its own. Refused while a run of it is under way.

    Example: bulkmail rename offer offer-2026
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    done = run(orders.rename(Path.cwd(), old, new, path))
    recipients = counted(done.count, "recipient")
    say(visible(f"{old} is {new} from now on: {recipients}, and what became of them."))
    say(visible(f"How it stands:  bulkmail status {again(new, path)}"))
