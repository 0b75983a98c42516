"""From an outcome to what the ledger is told: the delivery's new state, and when it is due."""

from __future__ import annotations

from typing import assert_never

from bulkmail.delivery.retry import GiveUp, RetryPolicy
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.outcome import (
    Accepted,
    Blame,
    Failure,
    InDoubt,
    Outcome,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.value_class import record_class


@record_class
class Try:
    """One try under way: which delivery, by which server, since when (epoch seconds)."""

    delivery: Delivery
    server: str | None
    started_at: float
    #: The TLS protocol of its session; None: none, or there is no session yet.
    tls: str | None = None


def verdict(tried: Try, outcome: Outcome, policy: RetryPolicy, now: float) -> Attempt:
    """What is written to the ledger for `outcome` at `now`."""
    match outcome:
        case Accepted():
            return accepted(tried, outcome, now)
        case InDoubt():
            return _in_doubt(tried, outcome, policy, now)
        case PermanentFailure() if outcome.blame in (Blame.RECIPIENT, Blame.MESSAGE, Blame.US):
            return _failure(tried, outcome, now, State.FAILED, outcome.reason)
        case TransientFailure() | PermanentFailure():
            return _try_again(tried, outcome, policy, now)
        case _:
            assert_never(outcome)


def gave_up(tried: Try, reason: str, now: float) -> Attempt:
    """What is written for a delivery whose time or tries ran out while it waited.

    One that was in doubt stays in doubt, for a person: somebody may have it.
    """
    return Attempt(
        delivery_id=tried.delivery.id,
        epoch=tried.delivery.epoch,
        at=now,
        started_at=tried.started_at,
        state=_end_of(tried.delivery),
        reason=reason,
    )


def _end_of(delivery: Delivery) -> State:
    """What a delivery ends in that is not tried again."""
    return State.IN_DOUBT if delivery.doubts else State.FAILED


def accepted(tried: Try, outcome: Accepted, now: float) -> Attempt:
    """The same for a message that was accepted, as nearly all are."""
    refused: dict[str, str] | None = None
    if outcome.refused or outcome.left_out:
        refused = {path: str(reply) for path, reply in outcome.refused.items()}
        refused |= dict.fromkeys(outcome.left_out, "suppressed")
    reply = outcome.reply
    return Attempt(
        delivery_id=tried.delivery.id,
        epoch=tried.delivery.epoch,
        at=now,
        started_at=tried.started_at,
        state=State.SENT,
        reason=f"accepted, but not for {len(refused)} of cc and bcc" if refused else "accepted",
        is_counted=True,
        server=tried.server,
        tls=tried.tls,
        stage=outcome.stage,
        code=reply.code,
        enhanced_code=reply.enhanced_code,
        reply=reply.text,
        refused_recipients=refused,
        gateway_id=outcome.gateway_id,
    )


def _in_doubt(tried: Try, outcome: InDoubt, policy: RetryPolicy, now: float) -> Attempt:
    resend = (
        policy.settings.resend_on_doubt
        and tried.delivery.doubts == 0
        and not policy.is_used_up(tried.delivery.attempts + 1)
    )
    return Attempt(
        delivery_id=tried.delivery.id,
        epoch=tried.delivery.epoch,
        at=now,
        started_at=tried.started_at,
        state=State.IN_DOUBT,
        reason=outcome.reason,
        due_at=now + policy.delay(tried.delivery.attempts + 1) if resend else None,
        is_counted=True,
        is_doubt=True,
        server=tried.server,
        tls=tried.tls,
        stage=outcome.stage,
    )


def _try_again(tried: Try, outcome: Failure, policy: RetryPolicy, now: float) -> Attempt:
    if not outcome.is_counted and (
        isinstance(outcome, PermanentFailure) or outcome.blame is Blame.SESSION
    ):
        # The recipient was not even named to the server: the row stands where it stood.
        return _failure(tried, outcome, now, State.PENDING, outcome.reason)
    attempts = tried.delivery.attempts + outcome.is_counted
    since = (tried.delivery.attempted_since or tried.started_at) if attempts else None
    decision = policy.decide(attempts=attempts, first_attempt_at=since, now=now)
    if isinstance(decision, GiveUp):
        reason = f"{decision.reason}: {outcome.reason}"
        return _failure(tried, outcome, now, _end_of(tried.delivery), reason)
    due_at = max(decision.at, now + (outcome.retry_after or 0))
    return _failure(tried, outcome, now, State.DEFERRED, outcome.reason, due_at=due_at)


def _failure(
    tried: Try,
    outcome: Failure,
    now: float,
    state: State,
    reason: str,
    *,
    due_at: float | None = None,
) -> Attempt:
    reply = outcome.reply
    return Attempt(
        delivery_id=tried.delivery.id,
        epoch=tried.delivery.epoch,
        at=now,
        started_at=tried.started_at,
        state=state,
        reason=reason,
        due_at=due_at,
        is_counted=outcome.is_counted,
        server=tried.server,
        tls=tried.tls,
        stage=outcome.stage,
        code=reply.code if reply else None,
        enhanced_code=reply.enhanced_code if reply else None,
        reply=reply.text if reply else None,
    )
