"""Guards taken out: the seeds that noticed each one notice it again."""

from __future__ import annotations

import pytest
from simulation.mutations import MUTATIONS
from simulation.seed import play
from simulation.torture import mutated

#: Seeds that noticed, as `make torture` looks for them. What a seed means changes with the order
#: of the program's steps, so there are several; one that notices is enough.
FOUND: dict[str, tuple[int, ...]] = {
    "mark_after_the_dot": (0, 10, 11),
    "mark_not_awaited": (11, 19, 20),
    "mark_not_synced": (13, 18, 49),
    "epoch_not_checked": (197, 264, 302),
    "claim_ignores_lease": (20, 33, 49),
    "limiter_per_worker": (14, 17, 20),
    "slots_never_void": (62, 131, 232),
    "quota_not_summed": (7, 17, 20),
    "retry_without_cap": (8, 22, 26),
    "retry_at_once": (0, 3, 4),
    "closing_is_the_recipients": (4, 13, 22),
    "recover_forgotten": (0, 10, 13),
    "doubt_resent_twice": (25, 88, 94),
    "doubt_taken_for_failure": (22, 32, 40),
    "silence_taken_for_consent": (0, 4, 7),
    "sending_row_released": (19, 23, 61),
    "message_id_by_try": (0, 1, 2),
    "refused_login_tried_again": (10, 16, 18),
    "lock_not_taken": (1, 4, 15),
    "result_not_written": (0, 6, 8),
}


def test_every_mutation_has_seeds_that_notice_it() -> None:
    assert set(FOUND) == set(MUTATIONS)
    assert all(FOUND.values())


@pytest.mark.parametrize("name", FOUND)
def test_the_simulation_notices(name: str) -> None:
    assert any(mutated(name, seed).broken for seed in FOUND[name]), "see: make torture"


def test_without_a_mutation_they_notice_nothing() -> None:
    assert not [seed for seeds in FOUND.values() for seed in seeds[:1] if play(seed).broken]
