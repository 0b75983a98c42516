"""`bulkmail cancel`: who was not sent to gets nothing."""

from __future__ import annotations

from pathlib import Path

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted


def cancel(campaign: RecordArgument, *, ledger: LedgerOption = None) -> None:
    """Give a campaign up: who was not sent to gets nothing.

    They are suppressed, with that reason, and their row data is dropped; so are recipients who come
    to the list later. A run under way finishes what is on the wire and ends. Who failed stays
    failed, and who is in doubt stays so and is sent nothing by itself.

    `bulkmail retry CAMPAIGN --state suppressed` takes it all back; `bulkmail resume` lifts it for
    recipients who are new.

    Example: bulkmail cancel offer-letter
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    done = run(orders.cancel(Path.cwd(), campaign, path))
    more = "get" if done.count != 1 else "gets"
    what = f"{counted(done.count, 'recipient')} {more} nothing"
    if done.is_running:
        # Who is in its hands is counted only when it lets go of them.
        what = "the run under way ends, and whoever it has not sent to gets nothing"
    say(visible(f"{done.campaign} is cancelled: {what}."))
    say(visible(f"Take it back:  bulkmail retry {again(campaign, path)} --state suppressed"))
