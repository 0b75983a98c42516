"""The contest: in each round everybody runs once, in turn.

So what the machine does meanwhile befalls all; ratios are of one round, and their median counts.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest.contenders import Contender, Ground, Load, Missing, Run, run
from benchmarks.contest.lines import LINES, Line
from benchmarks.table import Measured

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


def _measured(line: Line, done: dict[tuple[str, Load], list[Run]]) -> Measured:
    """What a line came to. Without runs it says so, and is not met."""
    rounds = zip(*(done[contender.name, load] for contender, load in line.runs), strict=False)
    values = sorted(line.value(runs) for runs in rounds)
    sign = "≤" if line.is_cost else "≥"
    wanted = f"{sign} {line.bound:g}{line.unit} ({line.beyond:g})"
    if not values:
        return Measured(line.what, wanted, "not measured", is_met=False)
    value = statistics.median(values)
    span = f"{value:.2f}{line.unit} ({values[0]:.2f} to {values[-1]:.2f})"
    return Measured(line.what, wanted, span, is_met=line.is_met(value))


def contest(rounds: int = ROUNDS, words: Sequence[str] = ()) -> list[Measured]:
    """The lines whose name holds one of `words`, or all; who came to what is printed."""
    lines = [line for line in LINES if not words or any(word in line.what for word in words)]
    with tempfile.TemporaryDirectory(prefix="bulkmail-contest-") as folder:
        done = _play(lines, rounds, Path(folder))
    _show_runs(done)
    print(flush=True)
    return [_measured(line, done) for line in lines]
