"""From what happened to an outcome: transaction results and broken sessions, judged."""

from __future__ import annotations

from bulkmail.delivery.blame import judge
from bulkmail.errors import MessageRefusedLocally, SessionError
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    Overload,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.smtp.reply import EnhancedStatusCode, Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

#: Stages by which MAIL was accepted and RCPT sent (contract, `retry.attempts`).
_COUNTED = frozenset({Stage.RCPT, Stage.DATA, Stage.END_OF_DATA})
#: Said for a server, of those that were one too many by what it said before.
_HELD_BACK = Reply(452, ("4.5.3 too many recipients",), EnhancedStatusCode(4, 5, 3))
#: Who is to blame for what a server cannot even be asked.
_REACH = {"recipient": Blame.RECIPIENT, "message": Blame.MESSAGE, "sender": Blame.SERVER}


def of_result(
    result: TransactionResult | Outcome,
    left_out: tuple[str, ...] = (),
    held_back: tuple[str, ...] = (),
) -> Outcome:
    """The outcome of a transaction that came to an end with the session whole.

    What is one already is nobody's to judge but its session's.

    `left_out`: cc and bcc that were not even asked for; `held_back`: those of another transaction.
    """
    if not isinstance(result, TransactionResult):
        return result
    if result.end_of_data is not None and result.end_of_data.is_positive:
        refused = result.refused
        if held_back:
            refused |= dict.fromkeys(held_back, _HELD_BACK)
        return Accepted(reply=result.end_of_data, refused=refused, left_out=left_out)
    if result.decisive is None:
        return TransientFailure(
            blame=Blame.SESSION, stage=None, reply=None, reason="no reply at all"
        )
    return of_refusal(*result.decisive)


def of_a_way_in_question(result: TransactionResult) -> TransientFailure:
    """The outcome of a refusal that may be no word on the message: another way is to tell."""
    refusal = result.end_of_data
    return TransientFailure(
        blame=Blame.SESSION,
        stage=Stage.MAIL,
        reply=None,
        reason=f"its first BDAT was refused, and DATA is to tell why: {refusal}",
        overload=None if refusal is None else judge(Stage.END_OF_DATA, refusal).overload,
    )


def of_refusal(stage: Stage, reply: Reply) -> TransientFailure | PermanentFailure:
    """The outcome of a refusal at `stage`."""
    judgement = judge(stage, reply)
    kind = TransientFailure if judgement.is_transient else PermanentFailure
    return kind(
        blame=judgement.blame,
        stage=stage,
        reply=reply,
        reason=f"refused at {stage}: {reply}",
        is_counted=stage in _COUNTED,
        overload=judgement.overload,
    )


def of_session_error(error: SessionError) -> Outcome:
    """The outcome of a transaction whose session broke under way."""
    if error.stage == Stage.END_OF_DATA:
        return InDoubt(reason=str(error))
    stage = Stage(error.stage) if error.stage in set(Stage) else None
    return TransientFailure(
        blame=Blame.SESSION,
        stage=stage,
        reply=None if error.code is None else Reply(error.code, (error.reply,)),
        reason=str(error),
        is_counted=stage in _COUNTED,
        overload=overload_of(error),
    )


def overload_of(error: SessionError) -> Overload | None:
    """Whose pace a server spoke of when it ended a session, or did not begin one."""
    if error.code is None:
        return None
    stage = Stage(error.stage) if error.stage in set(Stage) else Stage.GREETING
    return judge(stage, Reply(error.code, (error.reply,))).overload


def of_local_refusal(error: MessageRefusedLocally) -> PermanentFailure:
    """The outcome of a message that this server cannot be given."""
    return PermanentFailure(
        blame=_REACH[error.reach],
        stage=None,
        reply=None,
        reason=str(error),
        ends_use=error.reach == "sender",
    )
