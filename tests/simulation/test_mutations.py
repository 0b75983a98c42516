"""Guards taken out: the seeds that noticed each one notice it again."""

from __future__ import annotations

import pytest
from simulation.mutations import MUTATIONS
from simulation.seed import play
from simulation.torture import mutated, notices

#: Seeds that noticed, as `make torture` looks for them; one that notices is enough.
FOUND: dict[str, tuple[int, ...]] = {
    "mark_after_the_dot": (0,),
    "mark_not_awaited": (0,),
    "mark_not_synced": (67,),
    "told_before_synced": (28, 40),
    "epoch_not_checked": (115, 197),
    "claim_ignores_lease": (3, 7),
    "limiter_per_worker": (7,),
    "slots_never_void": (44, 156),
    "quota_not_summed": (7, 12),
    "retry_without_cap": (37,),
    "retry_at_once": (0,),
    "closing_is_the_recipients": (6, 4),
    "recover_forgotten": (0,),
    "doubt_resent_twice": (219,),
    "doubt_taken_for_failure": (3,),
    "silence_taken_for_consent": (0,),
    "sending_row_released": (159, 40),
    "message_id_by_try": (0,),
    "refused_login_tried_again": (68, 83),
    "lock_not_taken": (23, 26),
    "result_not_written": (3, 5),
    "domains_not_counted": (24, 26),
    "copies_not_counted": (45,),
    "refused_copies_forgotten": (4,),
    "rest_is_sent_to_all": (4,),
    "over_for_who_is_shut_out": (9, 11),
    "all_claims_freed_by_a_death": (141,),
    "silent_child_waited_for": (10,),
    "dead_child_not_buried": (46,),
    "connections_not_divided": (14, 27),
    "domains_not_divided": (249,),
    "refused_login_not_passed_on": (83, 97, 68),
    "number_not_divided": (3,),
    "clock_set_back_forgotten": (932, 941),
    "window_beyond_limits": (23, 3),
    "quit_ahead_by_all": (56,),
    "no_reset_between": (575,),
    "followers_take_no_turn": (23, 24),
    "refused_marks_ignored": (113,),
    "batch_marked_by_its_first": (821,),
    "batch_recorded_by_its_first": (56, 59),
    "longest_limit_alone": (12, 14),
    "file_left_out": (0, 6),
    "tries_of_the_dead_forgotten": (40,),
}

#: What a seed means changes with the order of the program's steps. Where the recorded ones notice
#: nothing any more so many are tried; beyond that it is `make torture`'s to say.
_OTHERS = 60


def test_every_mutation_has_seeds_that_notice_it() -> None:
    assert set(FOUND) == set(MUTATIONS)
    assert all(FOUND.values())


@pytest.mark.parametrize("name", FOUND)
def test_the_simulation_notices(name: str) -> None:
    seeds = dict.fromkeys((*FOUND[name], *range(_OTHERS)))

    assert any(notices(mutated(name, seed)) for seed in seeds), "see: make torture"


def test_without_a_mutation_they_notice_nothing() -> None:
    assert not [seed for seeds in FOUND.values() for seed in seeds[:1] if play(seed).broken]
