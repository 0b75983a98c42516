"""The figures we hold ourselves to, measured on this machine: `make bench`.

Times are of whole processes, start-up included; medians of three runs, but for the million rows.
The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import child, sample

HELP_RUNS = 7
RUNS = 3
CHECKED = 10_000
COMPOSED = 5_000
STREAMED = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    #: As printed: "<= 0.3 s".
    bound: str
    measure: Callable[[], float]
    is_met: Callable[[float], bool]
    unit: str


@contextmanager
def project(rows: int) -> Iterator[tuple[Path, str]]:
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as folder:
        yield Path(folder), sample.write_project(Path(folder), rows)


def help_cpu() -> float:
    """Median CPU seconds of --help; the first run, which writes .pyc files, is left out."""
    return statistics.median([child.bulkmail("--help").cpu for _ in range(HELP_RUNS + 1)][1:])


def check_seconds() -> float:
    with project(CHECKED) as (folder, name):
        return statistics.median(
            child.bulkmail("check", name, folder=folder).wall for _ in range(RUNS)
        )


def dry_run_rate() -> float:
    # Nothing is removed between two runs: on ext4 without a journal, as virtual machines have it,
    # a file takes ten times as long to make for a minute after thousands were removed.
    with ExitStack() as projects:
        made = [projects.enter_context(project(COMPOSED)) for _ in range(RUNS)]
        return statistics.median(_one_dry_run(folder, name) for folder, name in made)


def _one_dry_run(folder: Path, name: str) -> float:
    cost = child.bulkmail("send", name, "--dry-run", "--quiet", folder=folder)
    written = sum(1 for _ in (folder / "outbox").rglob("*.eml"))
    if written != COMPOSED:
        message = f"{written} messages written, {COMPOSED} expected"
        raise AssertionError(message)
    return written / cost.wall


def streamed_peak() -> float:
    with project(STREAMED) as (folder, name):
        return child.bulkmail("check", name, folder=folder).peak_rss_mib


FIGURES = [
    Figure("bulkmail --help, CPU", "<= 0.3 s", help_cpu, lambda s: s <= 0.3, "s"),
    Figure(f"check of {CHECKED:,} rows", "<= 10 s", check_seconds, lambda s: s <= 10, "s"),
    Figure(
        f"dry run of {COMPOSED:,} multipart messages",
        ">= 1,000/s",
        dry_run_rate,
        lambda rate: rate >= 1000,
        "/s",
    ),
    Figure(
        f"check of {STREAMED:,} CSV rows, peak memory",
        "< 120 MiB",
        streamed_peak,
        lambda mib: mib < 120,
        " MiB",
    ),
]


def main(wanted: list[str]) -> int:
    """Measure the figures whose name holds one of `wanted` (all, when none is named)."""
    missed = 0
    print(f"{'figure':<46} {'bound':>12} {'measured':>14}  ok")
    for figure in FIGURES:
        if wanted and not any(word in figure.what for word in wanted):
            continue
        measured = figure.measure()
        is_met = figure.is_met(measured)
        missed += not is_met
        value = (
            f"{measured:,.2f}{figure.unit}" if measured < 100 else f"{measured:,.0f}{figure.unit}"
        )
        print(
            f"{figure.what:<46} {figure.bound:>12} {value:>14}  {'yes' if is_met else 'NO'}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
