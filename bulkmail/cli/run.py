"""`bulkmail run`: send every campaign of the project when it is due."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from bulkmail.cli.output import complain
from bulkmail.cli.parameters import LedgerOption, ledger_path
from bulkmail.cli.running import run as run_to_its_end
from bulkmail.cli.send_options import LogFormat, Processes, parse_processes
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.app.watch import Watch
    from bulkmail.errors import ConfigurationError
    from bulkmail.report.metrics import Metrics
    from bulkmail.report.summary import Summary


def run(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Run what is due now, and leave: for cron and timers.")
    ] = False,
    ledger: LedgerOption = None,
    processes: Processes = "1",
    log_format: LogFormat = "text",
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Answer Prometheus there, as on 127.0.0.1:9464. Needs the extra metrics.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print faults only.")] = False,
) -> None:
    """Send every campaign in campaigns/ when its `schedule` says so.

    Goes on until it is stopped (SIGTERM, SIGINT: what is on the wire ends, exit code 130), and
    takes up where it was when it is started again. Campaigns that are new, changed or gone are
    noticed; SIGHUP reads all of them again. Of two on one ledger, the second waits to take over.

    With --once, exit code 0: all is well, or nothing is due. 75: something waits, for its window
    for one. Otherwise the worst of 2 (a file or row is wrong), 3 (no server works), 1 (some
    recipients failed for good).

    Example: bulkmail run --once
    """
    from bulkmail.app.scheduling import running

    with _counting(metrics) as counted:
        voice = _Lines(quiet=quiet, metrics=counted)
        code = run_to_its_end(
            running.run(
                Path.cwd(),
                voice,
                is_once=once,
                environ=os.environ,
                given=ledger_path(ledger),
                processes=parse_processes(processes),
                log_format=log_format,
            )
        )
    raise typer.Exit(code)


@contextlib.contextmanager
def _counting(address: str | None) -> Iterator[Metrics | None]:
    """Metrics that are answered at an address; None where none are wanted."""
    if address is None:
        yield None
        return
    from bulkmail.report.metrics import Metrics

    metrics = Metrics()
    at = metrics.serve(address)
    complain(f"{_now()} Metrics: http://{at}/metrics")
    try:
        yield metrics
    finally:
        metrics.close()


class _Lines:
    """Dated lines: progress and what happens on stderr, what runs came to on stdout."""

    def __init__(self, *, quiet: bool, metrics: Metrics | None = None) -> None:
        self._quiet = quiet
        self._metrics = metrics

    def say(self, sentence: str) -> None:
        """One line."""
        if not self._quiet:
            complain(f"{_now()} {visible(sentence)}")

    def complain(self, campaign: str, error: ConfigurationError) -> None:
        """What is wrong, each fault on a line, and that it holds up nobody else."""
        from bulkmail.cli.faults import fault_lines

        if campaign:
            complain(f"{_now()} {visible(campaign)}: nothing was sent of it")
        for line in fault_lines(error.faults, "The other campaigns go on."):
            complain(line)

    def ended(self, summary: Summary) -> None:
        """What a run came to."""
        if not self._quiet:
            from bulkmail.report.terminal import SteadyStream

            # A full disk behind it, or a closed terminal, cuts none of the runs under way.
            out = SteadyStream(sys.stdout)
            out.write(f"{_now()} {visible(summary.campaign)}: {visible(summary.sentence())}\n")
            out.flush()
        for line in summary.stopped_detail.splitlines():
            complain(f"  {visible(line)}")

    @contextlib.contextmanager
    def watching(self, campaign: str) -> Iterator[Watch]:
        """Lines of one campaign's run; it names itself in each. Counted, where that is wanted."""
        from bulkmail.app.watch import Audience

        with self._lines(campaign) as lines:
            yield lines if self._metrics is None else Audience(lines, self._metrics.watch(campaign))

    @contextlib.contextmanager
    def _lines(self, campaign: str) -> Iterator[Watch]:
        from bulkmail.clock import SystemClock
        from bulkmail.report.lines import LineDisplay
        from bulkmail.report.silence import Silence
        from bulkmail.report.terminal import SteadyStream

        if self._quiet:
            with Silence() as silence:
                yield silence
            return
        out = cast("TextIO", SteadyStream(sys.stderr))
        with LineDisplay(out, SystemClock(), name=campaign) as lines:
            yield lines


def _now() -> str:
    from bulkmail.report.wording import local

    return local(time.time())
