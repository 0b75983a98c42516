"""`python -m simulation`: seeds by the thousand, one again, or the mutations (see the Makefile)."""

from __future__ import annotations

import argparse
import sys

from simulation.census import Census, play_all
from simulation.seed import Verdict, play
from simulation.torture import MOST_SEEDS, hunt_all, mutated


def main() -> int:
    """0: all held, or all was noticed; 1: not so."""
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, event by event")
    parser.add_argument("--mutation", help="with --seed: what is broken meanwhile")
    parser.add_argument("--torture", action="store_true", help="the mutations")
    options = parser.parse_args()
    if options.torture:
        return _torture()
    if options.seed is not None:
        return _replay(options.seed, options.mutation)
    return _simulate(options.first, options.seeds)


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _simulate(first: int, count: int) -> int:
    census = Census()
    census.count(play_all(range(first, first + count)))
    for line in census.lines():
        _say(line)
    for verdict in census.broken[:20]:
        _tell(verdict)
    if census.broken:
        _say(f"{len(census.broken)} of {census.seeds} seeds broke an invariant")
        return 1
    _say("All invariants held.")
    return 0


def _tell(verdict: Verdict) -> None:
    _say(f"seed {verdict.seed} ({verdict.digest}); again: make simulate SEED={verdict.seed}")
    for broken in verdict.broken[:3]:
        _say(f"    {broken}")


def _replay(seed: int, mutation: str | None) -> int:
    if mutation is None:
        verdict = play(seed, is_kept=True)
        again = play(seed)
    else:
        verdict = mutated(mutation, seed)
        again = mutated(mutation, seed)
    for line in verdict.lines:
        _say(line)
    _say(f"seed {seed}: {dict(verdict.states)}, {verdict.steps} steps, {verdict.seconds:.3f} s")
    _say(f"trace {verdict.digest}, a second time {again.digest}")
    for broken in verdict.broken:
        _say(f"    {broken}")
    return 1 if verdict.broken or verdict.digest != again.digest else 0


def _torture() -> int:
    missed = 0
    for found in hunt_all():
        if found.verdict is None:
            missed += 1
            _say(f"{found.mutation}: NOT noticed by {MOST_SEEDS} seeds")
        else:
            _say(f"{found.mutation}: seed {found.verdict.seed}, {found.verdict.broken[0]}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
