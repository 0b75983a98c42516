from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.retry import JITTER, GiveUp, RetryAt, RetryPolicy
from bulkmail.settings import RetrySettings


def policy(**settings: Any) -> RetryPolicy:
    return RetryPolicy(RetrySettings(**settings), Random(7))


@pytest.mark.parametrize(
    ("attempts", "base"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (400, 3600)]
)
def test_the_delay_doubles_up_to_the_cap(attempts: int, base: float) -> None:
    delay = policy().delay(attempts)

    assert base <= delay <= base * (1 + JITTER)


@pytest.mark.parametrize(("attempts", "base"), [(1, 5), (2, 50), (3, 7200), (9, 7200)])
def test_a_list_is_gone_through_and_its_last_value_stays(attempts: int, base: float) -> None:
    delay = policy(backoff=(5.0, 50.0, 7200.0), backoff_doubles=False).delay(attempts)

    assert base <= delay <= base * (1 + JITTER)


def test_what_was_deferred_together_does_not_wake_together() -> None:
    same = policy()

    moments = {same.decide(attempts=1, first_attempt_at=0, now=0) for _ in range(1000)}

    assert len({round(m.at, 3) for m in moments if isinstance(m, RetryAt)}) > 900


def test_the_number_of_tries_is_a_limit() -> None:
    three = policy(attempts=3)

    assert isinstance(three.decide(attempts=2, first_attempt_at=0, now=0), RetryAt)
    assert three.decide(attempts=3, first_attempt_at=0, now=0) == GiveUp(
        "given up after 3 attempts"
    )


def test_age_counts_from_the_first_attempt() -> None:
    a_day = policy(give_up_after=86400.0, backoff=(60.0,))

    assert isinstance(a_day.decide(attempts=1, first_attempt_at=0, now=86300), RetryAt)
    assert a_day.decide(attempts=1, first_attempt_at=0, now=86399) == GiveUp("given up after 1d")


def test_what_already_waits_expires_too() -> None:
    a_day = policy(give_up_after=86400.0)

    assert not a_day.has_expired(None, 1e12)
    assert not a_day.has_expired(0.0, 86400.0)
    assert a_day.has_expired(0.0, 86400.1)


@given(attempts=st.integers(0, 10**6), seed=st.integers())
def test_a_delay_is_never_shorter_than_asked_and_never_far_beyond_the_cap(
    attempts: int, seed: int
) -> None:
    settings = RetrySettings(backoff=(30.0,), max_backoff=600.0)

    delay = RetryPolicy(settings, Random(seed)).delay(attempts)

    assert 30.0 <= delay <= 600.0 * (1 + JITTER)


def test_what_waits_is_over_by_its_time_and_by_its_tries() -> None:
    policy = RetryPolicy(RetrySettings(give_up_after=60.0, attempts=3), Random(1))

    assert not policy.is_over(2, 0.0, 60.0)
    assert policy.is_over(3, 0.0, 60.0)
    assert policy.is_over(2, 0.0, 60.1)
    assert not policy.is_over(0, None, 60.1)
