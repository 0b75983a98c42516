"""Every mutation against seed after seed, until one of them notices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from simulation.census import collect_now_and_then, seldom_collect
from simulation.invariants import NO_FAULT
from simulation.mutations import MUTATIONS
from simulation.seed import Verdict, play

#: A mutation that so many seeds do not notice is not noticed.
MOST_SEEDS = 2000


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a mutation fared."""

    mutation: str
    #: What the first seed that noticed came to; None: none did.
    verdict: Verdict | None


def mutated(name: str, seed: int) -> Verdict:
    """Play a seed under a mutation."""
    with MUTATIONS[name]():
        return play(seed)


def notices(verdict: Verdict) -> bool:
    """Whether the seed found what the mutation did.

    A fault of ours alone is none of it: whatever takes a guard out wrongly raises.
    """
    return any(broken.invariant != NO_FAULT for broken in verdict.broken)


def hunt(name: str) -> Hunt:
    """Find the first seed that notices."""
    for seed in range(MOST_SEEDS):
        verdict = mutated(name, seed)
        collect_now_and_then()
        if notices(verdict):
            return Hunt(name, verdict)
    return Hunt(name, None)


def hunt_all() -> Iterator[Hunt]:
    """All mutations, on all cores."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=seldom_collect) as pool:
        yield from pool.map(hunt, MUTATIONS)
