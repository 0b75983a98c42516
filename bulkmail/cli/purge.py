"""`bulkmail purge`: what a campaign's rows held is dropped, and the outcomes stay."""

from __future__ import annotations

from pathlib import Path

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted


def purge(campaign: RecordArgument, *, ledger: LedgerOption = None) -> None:
    """Drop a campaign's personal data, and leave the outcomes.

    All columns of all rows are dropped from the ledger's file. What became of whom stays: address
    and key, state, replies, Message-ID; without them everybody would be sent to again. A later
    `send` reads the list again, for those who were not sent to. Refused while a run is under way.

    Example: bulkmail purge offer-letter
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    done = run(orders.purge(Path.cwd(), campaign, path))
    whose = counted(done.count, "recipient")
    say(visible(f"{done.campaign}: row data of {whose} dropped; what became of them stays."))
    for copy in done.copies:
        say(visible(f"{copy} is a copy from before an upgrade, and holds what was there then."))
    say(visible(f"How it stands:  bulkmail status {again(campaign, path)}"))
