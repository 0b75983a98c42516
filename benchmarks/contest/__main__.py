"""`python -m benchmarks.contest [--rounds N] [WORD …]`: the lines whose name holds a word, or all.

In each round everybody runs once, in turn, so that what the machine does meanwhile befalls all;
ratios are of one round, and their median counts. The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest.contenders import Contender, Ground, Load, Missing, Run, run
from benchmarks.contest.lines import LINES, Line

ROUNDS = 5


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _play(lines: Sequence[Line], rounds: int, folder: Path) -> dict[tuple[str, Load], list[Run]]:
    """Everybody once a round; whoever stands in several lines runs once for all of them."""
    ground = Ground(folder, _free_port())
    todo: dict[tuple[str, Load], Contender] = {
        (contender.name, load): contender for line in lines for contender, load in line.runs
    }
    done: dict[tuple[str, Load], list[Run]] = {key: [] for key in todo}
    for number in range(rounds):
        for key, contender in todo.items():
            if not done[key] and number:
                continue
            try:
                done[key].append(run(contender, ground, key[1]))
            except Missing as missing:
                print(f"left out: {missing}", file=sys.stderr)
            except subprocess.CalledProcessError as error:
                print(f"left out: {contender.name} failed: {error}", file=sys.stderr)
    return done


def _show_runs(done: dict[tuple[str, Load], list[Run]]) -> None:
    print(f"{'who':<34}{'load':<26}{'messages/s':>11}{'from':>8}{'to':>8}", end="")
    print(f"{'CPU s/1,000':>13}{'peak MiB':>10}{'batches':>9}")
    for (name, load), runs in done.items():
        if not runs:
            continue
        rates = sorted(run.rate for run in runs)
        tls = " TLS" if load.tls else ""
        what = f"{load.rows:,} on {load.connections} {' '.join(load.sink)}{tls}"
        print(f"{name:<34}{what:<26}{statistics.median(rates):>11,.0f}", end="")
        print(f"{rates[0]:>8,.0f}{rates[-1]:>8,.0f}", end="")
        print(f"{statistics.median(run.cpu for run in runs):>13.3f}", end="")
        print(f"{max(run.peak_rss_mib for run in runs):>10.0f}", end="")
        print(f"{statistics.median(run.batches for run in runs):>9.2f}")


def _show_line(line: Line, done: dict[tuple[str, Load], list[Run]]) -> bool:
    """Print the line; whether its bound is met. Without runs it says so, and is not met."""
    rounds = zip(*(done[contender.name, load] for contender, load in line.runs), strict=False)
    values = sorted(line.value(runs) for runs in rounds)
    sign = "≤" if line.is_cost else "≥"
    wanted = f"{sign} {line.bound:g}{line.unit} ({line.beyond:g})"
    if not values:
        print(f"{line.what:<46}{wanted:>16}{'not measured':>26}")
        return False
    value = statistics.median(values)
    span = f"{value:.2f}{line.unit} ({values[0]:.2f} to {values[-1]:.2f})"
    is_met = line.is_met(value)
    print(f"{line.what:<46}{wanted:>16}{span:>26}  {'yes' if is_met else 'NO'}")
    return is_met


def main() -> int:
    """Measure, and print who came to what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only lines whose name holds one of these")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    wanted = [
        line
        for line in LINES
        if not options.words or any(word in line.what for word in options.words)
    ]
    with tempfile.TemporaryDirectory(prefix="bulkmail-contest-") as folder:
        done = _play(wanted, options.rounds, Path(folder))
    _show_runs(done)
    print()
    missed = sum(not _show_line(line, done) for line in wanted)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
