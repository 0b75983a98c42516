"""One seed, from its number to what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

from simulation import family, invariants
from simulation.story import tell
from simulation.trace import Trace
from simulation.world import Broken, World

from bulkmail.app.processes import vigil
from bulkmail.delivery import control, engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a seed came to."""

    seed: int
    #: Of everything that happened: the same in each replay.
    digest: str
    broken: tuple[Broken, ...]
    #: How often each fault was met.
    faults: Counter[str]
    rows: int
    servers: int
    steps: int
    #: Virtual.
    seconds: float
    #: Deliveries by state at the end.
    states: Counter[str]
    #: What happened, line by line, where it was asked for.
    lines: tuple[str, ...] = ()


#: Seconds between two looks at the switches of a run, at the clock while one waits, and at a child.
#: A run takes them each second, each 30 and each 5, and a wait of hours would be little else.
_ATTENTION = 300.0
_GLANCE = 300.0
_LOOK = 60.0


def play(seed: int, *, is_kept: bool = False) -> Verdict:
    """Let a seed happen, and hold the invariants against it."""
    with (
        patch.object(engine, "ATTENTION", _ATTENTION),
        patch.object(control, "GLANCE", _GLANCE),
        patch.object(vigil, "LOOK", _LOOK),
        family.staged(),
    ):
        return _play(seed, is_kept=is_kept)


def _play(seed: int, *, is_kept: bool) -> Verdict:
    story = tell(seed)
    trace = Trace()
    world = World(story, trace)
    try:
        world.happen()
        found = tuple(invariants.broken(world))
        rows = invariants.fates(world)
        for fate in rows:
            trace.note((0.0, (fate,)))
        faults = trace.faults + sum((books.faults for books in world.books), Counter[str]())
        return Verdict(
            seed=seed,
            digest=trace.digest,
            broken=found,
            faults=faults,
            rows=len(rows),
            servers=len(story.settings),
            steps=world.loop.steps,
            seconds=world.loop.time(),
            states=Counter(fate.state.value for fate in rows),
            lines=tuple(trace.lines()) if is_kept else (),
        )
    finally:
        world.close()
