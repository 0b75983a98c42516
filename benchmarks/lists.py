"""Long lists: `python -m benchmarks.lists [--rows N] [WORD…]`.

    peak      peak of a whole campaign (enrol, check, send) against its peak for 10,000 rows,
              with the list as CSV, JSON lines, YAML, and written in the campaign itself
    passes    reading and enrolling, and checking on all cores
    first     from the start to MAIL of a campaign that was checked and has not changed

Where the list is shorter than asked for, the line says so. Needs cc, for the sink.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import child, sample, table
from benchmarks.contest import sink
from benchmarks.table import Measured
from bulkmail.app import enrolling

SMALL = 10_000
MILLION = 1_000_000


def written(folder: Path, kind: str, rows: int, port: int) -> str:
    """A project whose list is of that kind; the campaign's name."""
    name = sample.write_project(folder, rows)
    path = folder / "campaigns" / f"{name}.yaml"
    text = path.read_text("utf-8").replace("security", f"port: {port}\n    security")
    listed = folder / "campaigns" / "list.csv"
    with listed.open(encoding="utf-8") as lines:
        columns = next(lines).strip().split(",")
        rows_of = (dict(zip(columns, line.strip().split(","), strict=True)) for line in lines)
        encoded = (json.dumps(row, ensure_ascii=False) for row in rows_of)
        if kind == "inline":
            path.write_text(text.replace("recipients: list.csv\n", ""), "utf-8")
            with path.open("a", encoding="utf-8") as file:
                file.write("recipients:\n")
                file.writelines(f"  - {row}\n" for row in encoded)
            return name
        if kind != "csv":
            dash = "- " if kind == "yaml" else ""
            with (folder / "campaigns" / f"list.{kind}").open("w", encoding="utf-8") as file:
                file.writelines(f"{dash}{row}\n" for row in encoded)
    path.write_text(text.replace("list.csv", f"list.{kind}"), "utf-8")
    return name


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bulkmail-large-") as name:
        yield Path(name)


def peaks(rows: int) -> Iterator[Measured]:
    """Peak memory of one process, and how much more it is than for few rows."""
    for kind in ("csv", "jsonl", "yaml", "inline"):
        small, large = (_peak(kind, count) for count in (SMALL, rows))
        what = f"peak memory, {kind}, {SMALL:,} and {rows:,} rows"
        value = f"{small:.1f}, {large:.1f} MiB"
        yield Measured(what, "≤ 100 MiB (75)", value, is_met=max(small, large) <= 100)
        growth = large / small - 1
        yield Measured(f"  grown by, {kind}", "≤ 15%", f"{growth:.1%}", is_met=growth <= 0.15)


def _peak(kind: str, rows: int) -> float:
    """Measured by a process of its own, as a child's peak is counted from its parent's on.

    Who has verified a million recipients is large.
    """
    command = [sys.executable, "-m", "benchmarks.lists", "--peak", kind, "--rows", str(rows)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _be_peak(kind: str, rows: int) -> None:
    """Send to so many, and tell the peak in MiB."""
    with folder() as root, sink.running(sink.build(root, tls=False)) as server:
        name = written(root / "p", kind, rows, server.port)
        cost = child.bulkmail("send", name, "--quiet", folder=root / "p")
    server.verify(rows)
    print(cost.peak_rss_mib)


def passes(rows: int) -> Iterator[Measured]:
    """Reading a list into the ledger, and the check of all its messages."""
    with folder() as root:
        name = written(root / "p", "csv", rows, 1)
        command = [sys.executable, "-m", "benchmarks.lists", "--pass", name]
        environ = os.environ | {"PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(
            command, cwd=root / "p", env=environ, capture_output=True, text=True, check=True
        )
    wall, cpu = json.loads(done.stdout)["_enrol"]
    # The bounds are a million's.
    allowed, beyond = (seconds * rows / MILLION for seconds in (60, 30))
    what = f"enrolment of {rows:,} CSV rows, CPU {cpu:.1f} s"
    wanted = f"≤ {allowed:g} s ({beyond:g})"
    yield Measured(what, wanted, f"{wall:.1f} s", is_met=wall <= allowed)
    wall, cpu = json.loads(done.stdout)["_check"]
    what = f"check on {len(os.sched_getaffinity(0))} cores, CPU {cpu:.1f} s"
    rate = rows / wall
    yield Measured(what, "≥ 4,000 rows/s (10,000)", f"{rate:,.0f} rows/s", is_met=rate >= 4000)


def _be_pass(name: str) -> None:
    """Check a campaign, and tell how long each half of it took."""
    from bulkmail import Campaign  # noqa: PLC0415  # in this process alone
    from bulkmail.app.check.checking import check  # noqa: PLC0415

    times: dict[str, tuple[float, float]] = {}

    def timed(half: str) -> None:
        work = getattr(enrolling.Pass, half)

        async def measured(*arguments: object) -> None:
            wall, cpu = time.perf_counter(), _cpu()
            await work(*arguments)
            times[half] = time.perf_counter() - wall, _cpu() - cpu

        setattr(enrolling.Pass, half, measured)

    timed("_enrol")
    timed("_check")
    report = asyncio.run(check(Campaign.load(Path("campaigns") / f"{name}.yaml")))
    assert not report.faults
    print(json.dumps(times))


def _cpu() -> float:
    """User and system time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def first(rows: int) -> Iterator[Measured]:
    """From the start to the first MAIL: of a list that was checked and has not changed."""
    with folder() as root, socket.create_server(("127.0.0.1", 0)) as listener:
        name = written(root, "csv", rows, listener.getsockname()[1])
        took = []
        for _ in range(4):
            heard: list[float] = []
            server = threading.Thread(target=_hear, args=(listener, heard))
            server.start()
            began = time.perf_counter()
            child.bulkmail("send", name, "--limit", "1", "--quiet", folder=root)
            server.join()
            took.append(heard[0] - began)
    what = f"first MAIL of {rows:,} rows, {took[0]:.1f} s with the check"
    again = statistics.median(took[1:])
    yield Measured(what, "≤ 2 s (1)", f"{again:.2f} s", is_met=again <= 2)


def _hear(listener: socket.socket, heard: list[float]) -> None:
    """One session of a server that says yes, and notes when MAIL comes."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as lines:
        lines.write(b"220 yes\r\n")
        lines.flush()
        is_content = False
        for line in lines:
            if is_content and line != b".\r\n":
                continue
            verb = line[:4].upper()
            if verb == b"MAIL":
                heard.append(time.perf_counter())
            is_content = verb == b"DATA"
            lines.write(b"354 go on\r\n" if is_content else b"250 yes\r\n")
            lines.flush()
            if verb == b"QUIT":
                return


FIGURES: dict[str, Callable[[int], Iterator[Measured]]] = {
    "passes": passes,
    "first": first,
    "peak": peaks,
}


def lists(rows: int = MILLION, words: Sequence[str] = ()) -> Iterator[Measured]:
    """What is named by `words`, or all, line by line."""
    for word in words or FIGURES:
        yield from FIGURES[word](rows)


def main() -> int:
    """Measure what is named; all of it, when nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--pass", dest="name", help=argparse.SUPPRESS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("figures", nargs="*", choices=[[], *FIGURES])
    options = parser.parse_args()
    if options.name:
        _be_pass(options.name)
        return 0
    if options.peak:
        _be_peak(options.peak, options.rows)
        return 0
    return 0 if table.show(lists(options.rows, options.figures)) else 1


if __name__ == "__main__":
    sys.exit(main())
