"""A few hundred seeds of what `make simulate` plays by the thousand."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from simulation.census import Census
from simulation.seed import play
from simulation.story import tell

#: Seeds in one test: they run side by side where tests do.
_BLOCK = 25
_BLOCKS = 8
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("first", range(0, _BLOCK * _BLOCKS, _BLOCK))
def test_all_invariants_hold(first: int) -> None:
    census = Census()

    census.count(play(seed) for seed in range(first, first + _BLOCK))

    broken = [(verdict.seed, str(verdict.broken[0])) for verdict in census.broken]
    assert not broken, "replay: make simulate SEED=…"


def test_a_seed_is_no_toy() -> None:
    stories = [tell(seed) for seed in range(300)]

    assert median(story.campaign.rows for story in stories) >= 50
    assert median(len(story.settings) for story in stories) >= 2


def test_what_befalls_runs_is_common() -> None:
    seeds = 600
    befallen = Counter(
        befalls for seed in range(seeds) for befalls in {r.befalls for r in tell(seed).runs}
    )

    assert min(befallen.values()) > 0.05 * seeds


@pytest.mark.parametrize("seed", [1, 7, 20])
def test_a_seed_replays_bit_for_bit_in_another_process(seed: int) -> None:
    script = f"from simulation.seed import play; print(play({seed}).digest)"
    again = subprocess.run(
        [sys.executable, "-c", script],
        cwd=TESTS,
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PYTHONHASHSEED": str(seed + 1)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert again.stdout.strip() == play(seed).digest
    assert play(seed).digest != play(seed + 1).digest
