"""Many seeds at once, on all cores, and what they came to."""

from __future__ import annotations

import gc
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from simulation.seed import Verdict, play

#: Seeds a process is given at once.
_CHUNK = 25
#: Seeds whose garbage is collected at once, and those played so far.
_AT_ONCE = 10
_PLAYED = itertools.count(1)


@dataclass
class Census:
    """Counts over many seeds."""

    rows: list[int] = field(default_factory=list)
    servers: list[int] = field(default_factory=list)
    #: In how many seeds a fault was met.
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    broken: list[Verdict] = field(default_factory=list)
    steps: int = 0
    #: Real ones.
    seconds: float = 0.0

    def count(self, verdicts: Iterable[Verdict]) -> None:
        """Take what seeds came to."""
        began = perf_counter()
        for verdict in verdicts:
            self.rows.append(verdict.rows)
            self.servers.append(verdict.servers)
            self.faults.update(verdict.faults.keys())
            self.states.update(verdict.states)
            self.steps += verdict.steps
            if verdict.broken:
                self.broken.append(verdict)
        self.seconds += perf_counter() - began

    @property
    def seeds(self) -> int:
        """How many there were."""
        return len(self.rows)

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield (
            f"{self.seeds:,} seeds in {self.seconds:.0f} s: {self.seeds / self.seconds:.1f} a "
            f"second, {self.steps:,} steps"
        )
        yield f"median {median(self.rows):.0f} rows and {median(self.servers):.0f} servers a seed"
        yield "deliveries: " + ", ".join(f"{n:,} {word}" for word, n in self.states.most_common())
        yield "faults and ways, and in how many of the seeds each was met:"
        for fault, times in self.faults.most_common():
            yield f"  {100 * times / self.seeds:5.1f} %  {fault}"


def play_all(seeds: Iterable[int]) -> Iterator[Verdict]:
    """Play seeds on all cores; their verdicts in order."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=seldom_collect) as pool:
        yield from pool.map(_play, seeds, chunksize=_CHUNK)


def _play(seed: int) -> Verdict:
    verdict = play(seed)
    collect_now_and_then()
    return verdict


def seldom_collect() -> None:
    """Look for garbage between seeds alone, and never through what was imported."""
    gc.freeze()
    gc.disable()


def collect_now_and_then() -> None:
    """Called after each seed. What is found within one lives on, and is looked through in vain."""
    if next(_PLAYED) % _AT_ONCE == 0:
        gc.collect()
