from random import Random

import pytest

from bulkmail.delivery.retry import RetryPolicy
from bulkmail.delivery.verdict import Try, gave_up, verdict
from bulkmail.fate import Delivery, State
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.settings import RetrySettings
from bulkmail.smtp.reply import EnhancedStatusCode, Reply
from bulkmail.smtp.stage import Stage

NOW = 1_000_000.0


def tried(*, attempts: int = 0, doubts: int = 0, first_attempt_at: float | None = None) -> Try:
    return Try(
        Delivery(
            id=5,
            epoch=2,
            row=1,
            key="a@x.example",
            address="a@x.example",
            fields={},
            attempts=attempts,
            doubts=doubts,
            first_attempt_at=first_attempt_at,
            message_id="<1@x.example>",
        ),
        "primary",
        NOW - 1,
    )


def policy(*, attempts: int | None = None, resend: bool = True) -> RetryPolicy:
    return RetryPolicy(RetrySettings(attempts=attempts, resend_on_doubt=resend), Random(1))


def refusal(
    kind: type[TransientFailure | PermanentFailure], blame: Blame, stage: Stage, code: int
) -> Outcome:
    return kind(
        blame=blame,
        stage=stage,
        reply=Reply(code, ("5.1.1 no",), EnhancedStatusCode(5, 1, 1)),
        reason="no",
        is_counted=stage is not Stage.MAIL,
    )


def test_accepted_is_sent_with_who_was_refused_beside_it() -> None:
    outcome = Accepted(
        reply=Reply(250, ("2.0.0 queued",), EnhancedStatusCode(2, 0, 0)),
        refused={"cc@x.example": Reply(550, ("no such user",))},
    )

    attempt = verdict(tried(), outcome, policy(), NOW)

    assert attempt.state is State.SENT
    assert attempt.refused_recipients == {"cc@x.example": "550 no such user"}
    assert (attempt.code, attempt.enhanced_code, attempt.reply) == (250, "2.0.0", "2.0.0 queued")
    assert (attempt.delivery_id, attempt.epoch, attempt.server) == (5, 2, "primary")
    assert attempt.started_at == NOW - 1


@pytest.mark.parametrize("blame", [Blame.RECIPIENT, Blame.MESSAGE, Blame.US])
def test_what_will_never_work_for_this_row_is_failed(blame: Blame) -> None:
    attempt = verdict(tried(), refusal(PermanentFailure, blame, Stage.RCPT, 550), policy(), NOW)

    assert attempt.state is State.FAILED
    assert (attempt.stage, attempt.code, attempt.enhanced_code) == ("rcpt", 550, "5.1.1")


@pytest.mark.parametrize("blame", list(Blame))
def test_what_may_work_later_is_deferred(blame: Blame) -> None:
    attempt = verdict(tried(), refusal(TransientFailure, blame, Stage.RCPT, 450), policy(), NOW)

    assert attempt.state is State.DEFERRED
    assert attempt.due_at is not None
    assert NOW + 60 <= attempt.due_at <= NOW + 72
    assert attempt.is_counted


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.END_OF_DATA])
def test_a_policy_refusal_never_fails_a_recipient(stage: Stage) -> None:
    attempt = verdict(tried(), refusal(PermanentFailure, Blame.SERVER, stage, 554), policy(), NOW)

    assert attempt.state is State.DEFERRED


def test_a_server_that_refuses_mail_for_good_leaves_the_row_pending_and_says_why() -> None:
    outcome = refusal(PermanentFailure, Blame.SERVER, Stage.MAIL, 550)

    attempt = verdict(tried(), outcome, policy(), NOW)

    assert attempt.state is State.PENDING
    assert (attempt.stage, attempt.code) == ("mail", 550)
    assert not attempt.is_counted


def test_a_session_lost_before_rcpt_leaves_the_row_pending() -> None:
    outcome = TransientFailure(blame=Blame.SESSION, stage=Stage.MAIL, reply=None, reason="lost")

    assert verdict(tried(), outcome, policy(), NOW).state is State.PENDING


def test_the_last_try_ends_as_failed_and_names_the_last_reply() -> None:
    outcome = refusal(TransientFailure, Blame.RECIPIENT, Stage.RCPT, 450)

    attempt = verdict(tried(attempts=2), outcome, policy(attempts=3), NOW)

    assert attempt.state is State.FAILED
    assert attempt.reason == "given up after 3 attempts: no"
    assert attempt.code == 450


def test_a_first_doubt_is_resent_after_the_back_off() -> None:
    attempt = verdict(tried(), InDoubt(reason="lost"), policy(), NOW)

    assert attempt.state is State.IN_DOUBT
    assert attempt.is_doubt
    assert attempt.due_at is not None
    assert attempt.due_at >= NOW + 60


@pytest.mark.parametrize(("doubts", "resend"), [(1, True), (0, False)])
def test_a_second_doubt_and_any_under_hold_waits_for_a_person(doubts: int, resend: bool) -> None:
    attempt = verdict(tried(doubts=doubts), InDoubt(reason="lost"), policy(resend=resend), NOW)

    assert attempt.state is State.IN_DOUBT
    assert attempt.due_at is None


def test_a_delivery_whose_time_ran_out_is_failed_without_a_try() -> None:
    attempt = gave_up(tried(), "given up while it waited", NOW)

    assert attempt.state is State.FAILED
    assert not attempt.is_counted


def test_a_doubt_that_was_the_last_try_waits_for_a_person() -> None:
    attempt = verdict(tried(attempts=1), InDoubt(reason="lost"), policy(attempts=2), NOW)

    assert attempt.state is State.IN_DOUBT
    assert attempt.due_at is None


def test_who_was_in_doubt_and_is_given_up_stays_in_doubt() -> None:
    refused = refusal(TransientFailure, Blame.RECIPIENT, Stage.RCPT, 450)

    after_a_try = verdict(tried(attempts=1, doubts=1), refused, policy(attempts=2), NOW)
    in_waiting = gave_up(tried(doubts=1), "given up while it waited", NOW)

    assert (after_a_try.state, after_a_try.due_at) == (State.IN_DOUBT, None)
    assert (in_waiting.state, in_waiting.due_at) == (State.IN_DOUBT, None)


def test_time_to_give_up_does_not_pass_while_mail_is_refused() -> None:
    outcome = refusal(TransientFailure, Blame.SERVER, Stage.MAIL, 450)
    short = RetryPolicy(RetrySettings(give_up_after=1.0, backoff=(60.0,)), Random(1))

    long_ago = tried(first_attempt_at=NOW - 1000)
    attempt = verdict(long_ago, outcome, short, NOW)

    assert attempt.state is State.DEFERRED
    assert attempt.due_at is not None
    assert attempt.due_at >= NOW + 60
    assert not short.is_over(0, long_ago.delivery.attempted_since, NOW)
