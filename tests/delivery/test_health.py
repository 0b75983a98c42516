import pytest

from bulkmail.delivery.health import (
    LONGEST_REST,
    REFUSED_IN_A_ROW,
    RESTS_AFTER_SUCCESS,
    RESTS_BEFORE_FIRST_SUCCESS,
    Health,
)


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


def test_an_accepted_message_between_refused_ones_keeps_it_in_use(health: Health) -> None:
    for _ in range(10 * REFUSED_IN_A_ROW):
        health.refused_message("554 spam")
        health.accepted()

    assert not health.is_stopped


def test_a_spent_quota_is_no_failure(health: Health) -> None:
    health.rest(5000, "the quota 10/h is spent")

    assert health.is_out_of_quota
    assert health.allowance(4999) == 0
    assert health.allowance(5000) == 1
    assert not health.is_stopped
