"""`bulkmail pause`: nothing more is sent of a campaign until it is resumed."""

from __future__ import annotations

from pathlib import Path

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible


def pause(campaign: RecordArgument, *, ledger: LedgerOption = None) -> None:
    """Let nothing more of a campaign be sent until it is resumed.

    A run under way finishes what is on the wire within seconds, and waits (with `--no-wait` it
    leaves with 75). A `send` that is started meanwhile leaves with 75.

    Example: bulkmail pause offer-letter
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    done = run(orders.pause(Path.cwd(), campaign, path))
    then = (
        "; the run under way waits once what is on the wire has ended"
        if done.is_running
        else "; nothing is sent of it until that is lifted"
    )
    say(visible(f"{done.campaign} is paused{then}."))
    say(visible(f"Lift the pause:  bulkmail resume {again(campaign, path)}"))
