import pytest

from bulkmail.delivery.health import (
    FIRST_RESPITE,
    FIRST_REST,
    GOOD_REPLIES,
    LONGEST_RESPITE,
    LONGEST_REST,
    RESTS_AFTER_SUCCESS,
    RESTS_BEFORE_FIRST_SUCCESS,
    RESTS_WHILE_BUSY,
    Health,
)
from bulkmail.delivery.refusals import REMEMBERED
from bulkmail.settings import StopSettings

REFUSED_IN_A_ROW = 25


@pytest.fixture
def health() -> Health:
    return Health(8)


def test_one_connection_comes_first(health: Health) -> None:
    assert health.allowance(0) == 1


def test_each_good_reply_opens_one_more_up_to_the_cap(health: Health) -> None:
    for _ in range(20):
        health.succeeded()

    assert health.allowance(0) == 8


def test_a_server_that_cannot_be_reached_rests_at_once(health: Health) -> None:
    health.failed("refused", now=100, began_in=0, at_once=True)

    assert health.allowance(100) == 0
    assert health.allowance(health.rests_until) == 1


def test_failures_of_connections_that_began_before_the_rest_are_one_event(health: Health) -> None:
    for _ in range(50):
        health.failed("refused", now=100, began_in=0, at_once=True)

    assert not health.is_stopped
    assert health.round == 1


def test_only_failures_in_a_row_are_a_reason_to_rest(health: Health) -> None:
    for _ in range(20):
        health.failed("broke", now=100, began_in=0)
        health.failed("broke", now=100, began_in=0)
        health.succeeded()

    assert health.round == 0


def test_of_two_reasons_to_rest_the_longer_one_holds(health: Health) -> None:
    health.rest(500.0, "the quota is spent")
    health.rest(200.0, "it asks for a minute")

    assert health.rests_until == 500.0


def test_a_server_that_never_worked_is_given_up_soon(health: Health) -> None:
    for n in range(RESTS_BEFORE_FIRST_SUCCESS):
        health.failed("refused", now=100, began_in=n, at_once=True)

    assert health.is_stopped
    assert health.sentence == "refused"


def test_a_server_that_worked_gets_time_to_come_back(health: Health) -> None:
    health.accepted()
    waited = 0.0
    now = 0.0

    for n in range(RESTS_AFTER_SUCCESS - 1):
        health.failed("refused", now=now, began_in=n, at_once=True)
        assert health.rests_until - now <= LONGEST_REST
        waited += health.rests_until - now
        now = health.rests_until

    assert not health.is_stopped
    assert waited > 600
    health.failed("refused", now=now, began_in=health.round, at_once=True)
    assert health.is_stopped


def test_without_patience_a_server_that_worked_is_given_up_soon_too() -> None:
    health = Health(8, is_patient=False)
    health.accepted()

    for n in range(RESTS_BEFORE_FIRST_SUCCESS):
        health.failed("refused", now=0, began_in=n, at_once=True)

    assert health.is_stopped


def test_a_lost_connection_now_and_then_is_no_reason_to_rest(health: Health) -> None:
    for _ in range(100):
        health.failed("lost", now=0, began_in=0)
        health.failed("lost", now=0, began_in=0)
        health.accepted()

    assert health.allowance(0) == 8


def test_lost_connections_in_a_row_are(health: Health) -> None:
    for _ in range(3):
        health.failed("lost", now=0, began_in=0)

    assert health.allowance(0) == 0


def test_refused_messages_in_a_row_end_its_use_before_the_list_is_burnt(health: Health) -> None:
    for _ in range(REFUSED_IN_A_ROW - 1):
        health.refused_message("554 spam")
    assert health.allowance(0) == 8

    health.refused_message("554 spam")

    assert health.is_stopped
    assert "554 spam" in health.sentence


def test_an_accepted_message_between_refused_ones_begins_the_row_anew() -> None:
    health = Health(8, stop_after=StopSettings(in_a_row=2, share=None))
    for _ in range(10 * REFUSED_IN_A_ROW):
        health.refused_message("554 spam")
        health.accepted()

    assert not health.is_stopped


def test_half_of_the_last_hundred_refused_ends_its_use(health: Health) -> None:
    for _ in range(REMEMBERED // 2 - 1):
        health.refused_message("554 spam")
        health.accepted()
    health.accepted()
    before = health.is_stopped

    health.refused_message("554 spam")

    assert (before, health.is_stopped) == (False, True)
    assert health.sentence.startswith("50 of the last 100 messages were refused (`stop_after`)")


def test_a_share_is_of_the_last_hundred_alone(health: Health) -> None:
    for _ in range(10):
        for _ in range(49):
            health.accepted()
        for _ in range(20):
            health.refused_message("554 spam")

    assert not health.is_stopped


def test_never_is_never() -> None:
    health = Health(8, stop_after=StopSettings(in_a_row=None, share=None))
    for _ in range(1000):
        health.refused_message("554 spam")

    assert not health.is_stopped


def test_a_refused_recipient_is_no_refused_message() -> None:
    health = Health(8, stop_after=StopSettings(in_a_row=2, share=0.1))
    for _ in range(1000):
        health.succeeded()
    health.refused_message("554 spam")

    assert not health.is_stopped


def test_a_server_that_worked_and_is_busy_is_left_alone_for_longer_each_time(
    health: Health,
) -> None:
    health.accepted()
    rests = []
    for n in range(8):
        health.failed("421 busy", now=100, began_in=n, at_once=True, is_busy=True)
        rests.append(health.rests_until - 100)

    assert rests[:3] == [FIRST_RESPITE, 2 * FIRST_RESPITE, 4 * FIRST_RESPITE]
    assert rests[-1] == LONGEST_RESPITE


def test_a_server_that_never_worked_and_is_busy_is_given_up_a_little_later(health: Health) -> None:
    rests = []
    for n in range(RESTS_WHILE_BUSY):
        assert not health.is_stopped
        health.failed("421 busy", now=100, began_in=n, at_once=True, is_busy=True)
        rests.append(health.rests_until - 100)

    assert rests[:-1] == [1, 2, 4, 8]
    assert health.is_stopped


def test_a_spent_quota_is_no_failure(health: Health) -> None:
    health.rest(5000, "the quota 10/h is spent")

    assert health.is_out_of_quota
    assert health.allowance(4999) == 0
    assert health.allowance(5000) == 1
    assert not health.is_stopped


def test_what_was_on_the_wire_when_a_server_was_stopped_does_not_hide_why() -> None:
    health = Health(8, stop_after=StopSettings(in_a_row=2, share=None))
    health.refused_message("554 spam")
    health.refused_message("554 spam")

    health.refused_message("554 spam")
    health.accepted()

    assert health.is_stopped
    assert health.sentence.startswith("2 messages in a row were refused")


def test_a_server_that_takes_fewer_connections_is_left_with_those(health: Health) -> None:
    for _ in range(3):
        health.accepted()
    health.crowded(5)
    health.crowded(2)

    assert health.allowance(0) == health.connections == 2
    assert health.is_well


def test_it_is_tried_with_one_more_when_it_did_well_and_less_often_each_time(
    health: Health,
) -> None:
    health.crowded(2)
    for _ in range(GOOD_REPLIES):
        health.accepted()
    assert health.connections == 3

    health.crowded(2)
    for _ in range(GOOD_REPLIES):
        health.accepted()
    assert health.connections == 2

    for _ in range(GOOD_REPLIES):
        health.accepted()
    assert health.connections == 3


def test_of_a_crowded_server_a_connection_that_is_turned_away_is_soon_tried_again(
    health: Health,
) -> None:
    health.accepted()
    health.crowded(2)
    health.failed("too many", now=100, began_in=0, at_once=True, is_busy=True)

    assert health.rests_until == 100 + FIRST_REST
    assert health.connections == 2
