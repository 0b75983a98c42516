"""`bulkmail retry`: recipients who failed are tried again."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import LedgerOption, RecordArgument, ledger_path, wrong_usage
from bulkmail.cli.running import run
from bulkmail.fate import Halt, State
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted

if TYPE_CHECKING:
    from bulkmail.app.orders import Ordered


class Retried(enum.StrEnum):
    """The states that can be chosen."""

    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    DEFERRED = "deferred"
    SUPPRESSED = "suppressed"


def retry(
    campaign: RecordArgument,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="Those who failed; that is the default.")
    ] = False,
    state: Annotated[
        Retried | None,
        typer.Option(help="Those in this state instead; of the suppressed, the cancelled ones."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Only those with this reply code or enhanced code (552, 5.2.2), or one that "
            "begins so (5, 5.2).",
        ),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Make recipients who failed pending again.

    Attempts and the time to give up count anew. The Message-ID stays. A run under way takes them
    up; else the next `send` does. Who is gone from the list, on a suppression list or a bad row
    stays as it is. A cancellation is lifted by it.

    Example: bulkmail retry offer-letter --code 552
    """
    if failed and state not in {None, Retried.FAILED}:
        raise wrong_usage(f"--failed and --state {state} choose two states; give one of them.")
    from bulkmail.app import orders

    chosen = State(state or Retried.FAILED)
    path = ledger_path(ledger)
    done = run(orders.retry(Path.cwd(), campaign, state=chosen, code=code, ledger=path))
    for line in put_back_lines(done, campaign, path):
        say(visible(line))


def put_back_lines(done: Ordered, typed: str, ledger: Path | None) -> Iterator[str]:
    """What to say of recipients who are pending again."""
    from bulkmail.cli.campaigns import again

    who = again(typed, ledger)
    verb = "is" if done.count == 1 else "are"
    yield f"{counted(done.count, 'recipient')} {verb} pending again."
    if done.left:
        stays = "stays as it is" if done.left == 1 else "stay as they are"
        why = "gone from the list, on a suppression list, a bad row, or on its way right now"
        yield f"{counted(done.left, 'more', 'more')} {stays}: {why}."
    if done.halt is Halt.PAUSED:
        yield f"Lift the pause:  bulkmail resume {who}"
    elif done.is_running or not done.count:
        yield f"How it stands:  bulkmail status {who}"
    else:
        yield f"Go on with:  bulkmail send {who}"
