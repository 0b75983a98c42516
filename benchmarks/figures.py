"""Start-up, check and dry run: `python -m benchmarks.figures [WORD…]`.

Times are of whole processes, start-up included; medians of three runs, but for the million rows.
The exit code is 1 when a bound is missed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import child, sample, table
from benchmarks.contest import sink
from benchmarks.table import Measured

START_RUNS = 7
RUNS = 3
CHECKED = 10_000
COMPOSED = 5_000
STREAMED = 1_000_000


@contextmanager
def project(rows: int) -> Iterator[tuple[Path, str]]:
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as folder:
        yield Path(folder), sample.write_project(Path(folder), rows)


def _start_cpu(option: str) -> float:
    """Median CPU seconds; the first run, which writes .pyc files, is left out."""
    return statistics.median([child.bulkmail(option).cpu for _ in range(START_RUNS + 1)][1:])


def version_cpu() -> float:
    return _start_cpu("--version")


def help_cpu() -> float:
    return _start_cpu("--help")


def one_letter_cpu() -> float:
    """Median CPU seconds of one letter, each of a project of its own: read, checked, sent."""
    with ExitStack() as held:
        built = sink.build(Path(held.enter_context(tempfile.TemporaryDirectory())), tls=False)
        server = held.enter_context(sink.running(built))
        costs = []
        for _ in range(START_RUNS):
            folder, name = held.enter_context(project(1))
            path = folder / "campaigns" / f"{name}.yaml"
            text = path.read_text("utf-8")
            path.write_text(text.replace("security", f"port: {server.port}\n    security"), "utf-8")
            costs.append(child.bulkmail("send", name, "--quiet", folder=folder).cpu)
    return statistics.median(costs)


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


def figures(words: Sequence[str] = ()) -> Iterator[Measured]:
    """Those whose name holds one of `words`, or all, line by line."""
    for what, wanted, measure, bound, unit in _FIGURES:
        if words and not any(word in what for word in words):
            continue
        value = measure()
        is_met = value <= bound if wanted.startswith("≤") else value >= bound
        number = f"{value:,.{0 if value >= 100 else 2}f}"
        yield Measured(what, wanted, f"{number}{unit}", is_met=is_met)


#: What, as wanted, how it is measured, the bound, the unit.
_FIGURES: tuple[tuple[str, str, Callable[[], float], float, str], ...] = (
    ("bulkmail --version, CPU", "≤ 0.15 s", version_cpu, 0.15, " s"),
    ("bulkmail --help, CPU", "≤ 0.3 s", help_cpu, 0.3, " s"),
    ("send to one recipient, CPU", "≤ 0.7 s (0.45)", one_letter_cpu, 0.7, " s"),
    (f"check of {CHECKED:,} rows", "≤ 10 s", check_seconds, 10, " s"),
    (f"dry run of {COMPOSED:,} messages", "≥ 1,000/s", dry_run_rate, 1000, "/s"),
    (f"check of {STREAMED:,} rows, peak memory", "≤ 120 MiB", streamed_peak, 120, " MiB"),
)


def main(words: Sequence[str]) -> int:
    """Measure the figures whose name holds one of `words` (all, when none is named)."""
    return 0 if table.show(figures(words)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
