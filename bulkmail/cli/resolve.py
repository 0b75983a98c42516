"""`bulkmail resolve`: a person decides on recipients in doubt."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.retry import put_back_lines
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted


class Decision(enum.StrEnum):
    """What is to become of those in doubt."""

    SENT = "sent"
    RESEND = "resend"


def resolve(
    campaign: RecordArgument,
    *,
    in_doubt: Annotated[
        Decision,
        typer.Option(help="They have it (sent), or are to get it once more (resend)."),
    ],
    ledger: LedgerOption = None,
) -> None:
    """Decide on everybody in doubt: they have it, or get it once more.

    `resend` sends again under the same Message-ID; another doubt about the same recipient is held.
    To see who they are: `bulkmail report CAMPAIGN --state in_doubt`.

    Example: bulkmail resolve offer-letter --in-doubt resend
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    resend = in_doubt is Decision.RESEND
    done = run(orders.resolve(Path.cwd(), campaign, resend=resend, ledger=path))
    if resend:
        for line in put_back_lines(done, campaign, path):
            say(visible(line))
        return
    verb = "counts" if done.count == 1 else "count"
    say(visible(f"{counted(done.count, 'recipient')} in doubt {verb} as sent."))
    say(visible(f"How it stands:  bulkmail status {again(campaign, path)}"))
