"""`bulkmail resume`: a pause, or a cancellation, is lifted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path
from bulkmail.cli.running import run
from bulkmail.fate import Halt
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted

if TYPE_CHECKING:
    from bulkmail.app.orders import Ordered


def resume(campaign: RecordArgument, *, ledger: LedgerOption = None) -> None:
    """Lift a pause: a run that waits goes on, and `send` works again.

    A cancellation is lifted as well: recipients who come to the list are sent to again. Those whom
    it suppressed stay so; `bulkmail retry CAMPAIGN --state suppressed` brings them back.

    Example: bulkmail resume offer-letter
    """
    from bulkmail.app import orders
    from bulkmail.cli.campaigns import again

    path = ledger_path(ledger)
    done = run(orders.resume(Path.cwd(), campaign, path))
    say(visible(_sentence(done)))
    who = again(campaign, path)
    if done.count:
        say(visible(f"Send to those, too:  bulkmail retry {who} --state suppressed"))
    elif done.is_running:
        say(visible(f"How it stands:  bulkmail status {who}"))
    else:
        say(visible(f"Go on with:  bulkmail send {who}"))


def _sentence(done: Ordered) -> str:
    match done.before:
        case None:
            told = "was neither paused nor cancelled"
        case Halt.PAUSED:
            told = "is paused no longer"
        case Halt.CANCELLED:
            told = "is cancelled no longer"
    goes_on = "; the run under way goes on" if done.before and done.is_running else ""
    stay = f"; {counted(done.count, 'recipient')} stay cancelled" if done.count else ""
    return f"{done.campaign} {told}{goes_on}{stay}."
