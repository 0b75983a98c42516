"""From how a run ended to its summary and exit code (the contract, section 4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import assert_never

from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.delivery.worker import Tally
from bulkmail.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_STOPPED,
    EXIT_WAITING,
)
from bulkmail.fate import Counts, Halt, State
from bulkmail.report.summary import Summary
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Run:
    """One run, over: what it came to and how long it took."""

    campaign: str
    result: RunResult
    counts: Counts
    tally: Tally
    elapsed_seconds: float
    #: How many of those in doubt are a person's to decide; None: all.
    held: int | None = None


def summary(
    run: Run,
    *,
    ledger: Path | None = None,
    out: Path | None = None,
    test_to: str | None = None,
    halt: Halt | None = None,
) -> Summary:
    """The run's summary."""
    if halt is None and _is_done_after_all(run):
        run = replace(run, result=RunResult(ending=Ending.DONE))
    return Summary(
        campaign=run.campaign,
        counts=run.counts,
        elapsed_seconds=run.elapsed_seconds,
        sent_in_run=run.tally.results.get(State.SENT, 0),
        failed_in_run=run.tally.results.get(State.FAILED, 0),
        exit_code=_exit_code(run),
        dry_run=out is not None,
        limit_reached=run.result.ending is Ending.LIMIT,
        interrupted=run.result.ending is Ending.INTERRUPTED,
        stopped=run.result.sentence,
        stopped_detail=run.result.hint,
        ledger=ledger,
        out=out,
        waiting_until=run.result.until,
        test_to=test_to,
        halt=halt,
    )


def _is_done_after_all(run: Run) -> bool:
    """Whether nobody is left of those one process of several had to leave: another had them."""
    counts = run.counts
    is_anybody_left = counts.pending or counts.deferred or counts.sending or counts.in_doubt
    return run.result.ending in {Ending.WAITING, Ending.NO_SERVER} and not is_anybody_left


def _exit_code(run: Run) -> int:
    match run.result.ending:
        case Ending.INTERRUPTED:
            return EXIT_INTERRUPTED
        case Ending.NO_SERVER:
            return EXIT_STOPPED
        case Ending.WAITING:
            return EXIT_WAITING
        case Ending.DONE | Ending.CANCELLED if run.counts.pending or run.counts.deferred:
            # Put back by a person since the run looked last.
            return EXIT_WAITING
        case Ending.DONE | Ending.LIMIT | Ending.CANCELLED:
            # Who is sent to again, a limited run leaves to the next one, as who is pending.
            held = run.counts.in_doubt if run.held is None else run.held
            return EXIT_FAILED if run.counts.failed or held else EXIT_OK
        case _:
            assert_never(run.result.ending)
