"""Transactions, read as transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import WHERE, Marks, OpenSession, ScriptedStream

from bulkmail.delivery.ports import Session as SessionPort
from bulkmail.errors import (
    ConnectionLost,
    MessageRefusedLocally,
    ProtocolViolation,
    SessionError,
    StageTimeout,
)
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.blocks import BLOCK_SIZE
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

#: More than two blocks.
LONG = b"Subject: hi\r\n\r\n" + (b"x" * 70 + b"\r\n") * 8_000


async def test_a_message_for_one_is_two_round_trips_with_pipelining(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session: SessionPort = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go on
        C: Subject: hi
        C:
        C: ..dot
        C: .
        S: 250 2.0.0 queued
        """
    )

    result = await session.send(mail_object(content=b"Subject: hi\r\n\r\n.dot\r\n"), mark)

    assert isinstance(result, TransactionResult)
    assert result.is_accepted
    assert str(result.end_of_data) == "250 2.0.0 queued"
    assert mark.count == 1
    assert len(script.writes) == 3


async def test_without_pipelining_each_command_waits_for_its_reply(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        S: 250 ok
        C: RCPT TO:<b@y.example>
        S: 250 ok
        C: DATA
        S: 354 go on
        C: Subject: hi
        C:
        C: hello
        C: .
        S: 250 queued
        """
    )

    result = await session.send(mail_object(), mark)

    assert result.is_accepted
    assert session.is_reusable
    assert session.transactions == 1


async def test_the_mark_is_made_behind_354_and_before_any_content(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        S: 250 ok
        C: RCPT TO:<b@y.example>
        S: 250 ok
        C: DATA
        S: 354 go on
        C: Subject: hi
        C:
        C: hello
        C: .
        S: 250 queued
        """
    )

    await session.send(mail_object(), mark)

    assert mark.written_before.endswith(b"DATA\r\n")


async def test_data_waits_for_every_recipient_where_there_are_several(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: RCPT TO:<cc@y.example>
        S: 250 ok
        S: 250 ok
        S: 550 5.1.1 no such user
        C: DATA
        S: 354 go on
        C: Subject: hi
        C:
        C: hello
        C: .
        S: 250 queued
        """
    )

    result = await session.send(mail_object("b@y.example", "cc@y.example"), mark)

    assert result.is_accepted
    assert str(result.refused["cc@y.example"]) == "550 5.1.1 no such user"


async def test_nobody_gets_it_when_the_row_s_own_address_is_refused(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<gone@y.example>
        C: RCPT TO:<cc@y.example>
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 250 ok
        C: RSET
        S: 250 flushed
        """
    )

    result = await session.send(mail_object("gone@y.example", "cc@y.example"), mark)

    assert result.decisive is not None
    assert result.decisive[0] is Stage.RCPT
    assert mark.count == 0
    assert session.is_reusable


async def test_a_refused_recipient_does_not_stop_the_others_where_nobody_decides(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<gone@y.example>
        C: RCPT TO:<here@y.example>
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 250 ok
        C: DATA
        S: 354 go on
        C: Subject: hi
        C:
        C: hello
        C: .
        S: 250 queued
        """
    )

    result = await session.send(
        mail_object("gone@y.example", "here@y.example"), mark, first_decides=False
    )

    assert result.recipients["gone@y.example"].is_permanent
    assert result.is_accepted


async def test_what_the_check_before_mail_raises_leaves_the_session_as_it_was(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    def too_late() -> None:
        raise RuntimeError("too late")

    session = await pipelined()
    said = len(script.writes)

    with pytest.raises(RuntimeError, match="too late"):
        await session.send(mail_object(), mark, check=too_late)

    assert len(script.writes) == said
    assert (session.transactions, mark.count, session.is_reusable) == (0, 0, True)


async def test_a_354_behind_a_refused_rcpt_gets_a_lone_dot_and_stays_refused(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 250 ok
        S: 550 no such user
        S: 354 go on
        C: .
        S: 250 queued
        """
    )

    result = await session.send(mail_object(), mark)

    assert not result.is_accepted
    assert result.refused.keys() == {"b@y.example"}
    assert mark.count == 0
    assert session.is_reusable


async def test_a_refusal_outlives_a_connection_lost_behind_it(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 250 ok
        S: 550 no such user
        S: 354 go on
        C: .
        S: (close)
        """
    )

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert result.decisive[1].code == 550
    assert not session.is_reusable


async def test_a_354_behind_a_refused_mail_with_rcpt_taken_is_cut_and_no_dot_sent(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 550 not you
        S: 250 ok
        S: 354 go on
        """
    )

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert result.decisive[0] is Stage.MAIL
    assert script.is_aborted


async def test_a_refused_mail_says_nothing_of_the_recipient(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 530 5.7.0 log in first
        S: 503 no
        S: 503 no
        """
    )

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert result.decisive[0] is Stage.MAIL
    assert result.recipients == {}
    assert session.is_reusable


@pytest.mark.parametrize("reply", ["451 try later", "554 5.5.1 no valid recipients"])
async def test_data_refused_behind_an_accepted_rcpt_is_reset(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks, reply: str
) -> None:
    session = await pipelined()
    script.plays(
        f"""
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: {reply}
        C: RSET
        S: 250 flushed
        """
    )

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert (result.decisive[0], str(result.decisive[1])) == (Stage.DATA, reply)
    assert session.is_reusable


async def test_a_session_outlives_a_message_refused_at_its_end(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    transaction = """
        C: MAIL FROM:<a@x.example>
        S: 250 ok
        C: RCPT TO:<b@y.example>
        S: 250 ok
        C: DATA
        S: 354 go on
        C: Subject: hi
        C:
        C: hello
        C: .
    """
    script.plays(transaction + "S: 554 5.7.1 spam").plays(transaction + "S: 250 queued")

    refused = await session.send(mail_object(), mark)
    accepted = await session.send(mail_object(), mark)

    assert refused.decisive is not None
    assert refused.decisive[0] is Stage.END_OF_DATA
    assert not refused.is_accepted
    assert accepted.is_accepted
    assert session.transactions == 2


#: What has been said when a stage's reply is due.
STEPS = [
    ("mail", ["C: MAIL FROM:<a@x.example>"]),
    ("rcpt", ["S: 250 ok", "C: RCPT TO:<b@y.example>"]),
    ("data", ["S: 250 ok", "C: DATA"]),
    ("end of data", ["S: 354 go on", "C: Subject: hi", "C:", "C: hello", "C: ."]),
]


def until(stage: str) -> str:
    lines: list[str] = []
    for name, step in STEPS:
        lines += step
        if name == stage:
            break
    return "\n".join(lines)


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
@pytest.mark.parametrize("trouble", ["(close)", "(reset)", "(silent)"])
async def test_a_cut_names_its_stage_and_only_the_last_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, *, stage: str, trouble: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays(f"S: {trouble}")

    with pytest.raises(StageTimeout if trouble == "(silent)" else ConnectionLost) as caught:
        await session.send(mail_object(), Marks(script))

    assert isinstance(caught.value, SessionError)
    assert (caught.value.stage, caught.value.host) == (stage, "mx.example:587")
    assert script.is_aborted
    assert not session.is_reusable


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
async def test_a_421_is_a_refusal_and_the_session_s_end(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, stage: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays("S: 421 4.3.2 shutting down")

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert (result.decisive[0].value, result.decisive[1].code) == (stage, 421)
    assert not session.is_reusable
    with pytest.raises(ConnectionLost) as caught:
        await session.send(mail_object(), mark)
    assert caught.value.code == 421


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
async def test_a_cancelled_send_breaks_the_session(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, stage: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays("S: (hang)")
    sending = asyncio.create_task(session.send(mail_object(), mark))
    await script.hung(sending)

    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    assert script.is_aborted
    assert not session.is_reusable


async def test_a_cancelled_mark_sends_no_content(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on")
    mark.hangs = asyncio.Event()
    sending = asyncio.create_task(session.send(mail_object(), mark))
    await mark.hangs.wait()

    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    assert script.is_aborted
    assert script.writes[-1] == b"DATA\r\n"


async def test_what_a_mark_raises_is_passed_on_and_nothing_is_sent(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on")
    mark.fault = KeyError("the claim is lost")

    with pytest.raises(KeyError, match="the claim is lost"):
        await session.send(mail_object(), mark)

    assert script.is_aborted
    assert script.writes[-1] == b"DATA\r\n"
    assert not session.is_reusable


async def test_the_mark_of_a_long_content_is_made_before_its_last_block(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on")
    script.plays("C: Subject: hi\nC:").plays("\n".join(["C: " + "x" * 70] * 8_000))
    script.plays("C: .\nS: 250 queued")

    result = await session.send(mail_object(content=LONG), mark)

    assert result.is_accepted
    begun = mark.written_before.partition(b"DATA\r\n")[2]
    assert LONG.startswith(begun)
    assert 2 * BLOCK_SIZE == len(begun) < len(LONG)


async def test_what_the_mark_of_a_long_content_raises_holds_its_end_back(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").plays("C: Subject: hi\nC:\nC: …")
    mark.fault = KeyError("the claim is lost")

    with pytest.raises(KeyError, match="the claim is lost"):
        await session.send(mail_object(content=LONG), mark)

    assert script.is_aborted
    assert b"".join(script.writes) == mark.written_before
    assert not session.is_reusable


async def test_a_long_content_that_is_refused_half_way_waits_for_no_mark(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").says_at_once(b"552 5.3.4 too big\r\n")

    result = await session.send(mail_object(content=LONG), mark)

    assert str(result.end_of_data) == "552 5.3.4 too big"
    assert mark.count == 0
    assert script.is_aborted


async def test_the_mark_takes_none_of_the_time_of_the_content_s_end(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: (close)")
    now, deadlines = asyncio.get_running_loop().time, []
    passed = 0.0

    async def takes_a_day() -> None:
        nonlocal passed
        passed = 86_400.0
        monkeypatch.setattr(script, "is_congested", True)

    async def drain(stage: Stage, deadline: float) -> None:
        del stage
        deadlines.append(deadline - now() - passed)
        monkeypatch.setattr(script, "is_congested", False)

    monkeypatch.setattr(session._conversation, "_now", lambda: now() + passed)
    monkeypatch.setattr(script, "drain_or_read", drain)
    with pytest.raises(ConnectionLost):
        await session.send(mail_object(), takes_a_day)

    (left,) = deadlines
    assert left > 0


@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", "552 5.3.4 too big"])
async def test_a_refusal_that_comes_during_the_mark_is_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, reply: str
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").says_at_once(f"{reply}\r\n".encode())

    result = await session.send(mail_object(), mark)

    assert str(result.end_of_data) == reply
    assert script.writes[-1] == b"DATA\r\n"
    assert not session.is_reusable


async def test_a_connection_that_ends_during_the_mark_is_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on")
    mark.is_left_alone = True

    with pytest.raises(ConnectionLost) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "data"
    assert script.writes[-1] == b"DATA\r\n"


async def test_an_acceptance_that_nobody_can_have_given_is_a_violation_and_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").says_at_once(b"250 queued\r\n")

    with pytest.raises(ProtocolViolation) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "data"
    assert script.writes[-1] == b"DATA\r\n"


async def test_an_acceptance_before_the_final_dot_has_left_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 250 queued")
    script.unsent = 1

    with pytest.raises(ProtocolViolation, match="before its end") as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "end of data"


async def test_a_refusal_before_the_final_dot_has_left_ends_the_session(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    # What is left of the content would be commands to the server.
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 552 too big")
    script.unsent = 1

    result = await session.send(mail_object(), mark)

    assert str(result.end_of_data) == "552 too big"
    assert script.is_aborted
    assert not session.is_reusable


async def test_garbage_in_reply_to_the_final_dot_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: what?")

    with pytest.raises(ProtocolViolation) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "end of data"
    assert caught.value.host == "mx.example:587"


async def test_an_acceptance_counts_whatever_garbage_comes_behind_it(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 250 queued\r\nwhat?")

    result = await session.send(mail_object(), mark)

    assert result.is_accepted
    assert not session.is_reusable


async def test_a_late_reply_does_not_answer_the_next_command(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("mail")).plays("S: (silent)").says_at_once(b"250 late\r\n")
    with pytest.raises(StageTimeout):
        await session.send(mail_object(), mark)

    with pytest.raises(ConnectionLost, match=r"is over: .*no answer in time"):
        await session.noop()

    script.peek()
    assert script.writes[-1] == b"MAIL FROM:<a@x.example>\r\n"


async def test_a_stray_reply_between_transactions_ends_the_session(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.says_at_once(b"250 stray\r\n")

    with pytest.raises(ProtocolViolation, match="nobody asked for"):
        await session.send(mail_object(), mark)

    assert script.writes[-1].startswith(b"EHLO")


@pytest.mark.parametrize("stray", [b"250 stray\r\n", b"25", b"421 bye\r\n"])
async def test_a_session_with_stray_bytes_is_not_reusable(
    script: ScriptedStream, lockstep: Opened, stray: bytes
) -> None:
    session = await lockstep()
    assert session.is_reusable

    script.says_at_once(stray)

    assert not session.is_reusable


async def test_a_farewell_while_idle_is_told_with_its_code(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.says_at_once(b"421 4.4.2 idle too long\r\n")

    with pytest.raises(ConnectionLost, match="idle too long") as caught:
        await session.send(mail_object(), mark)

    assert (caught.value.stage, caught.value.code) == ("mail", 421)


async def test_a_session_closed_by_the_server_while_idle_is_not_reusable(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.has_ended = True

    assert not session.is_reusable
    with pytest.raises(ConnectionLost) as caught:
        await session.send(mail_object(), mark)
    assert caught.value.stage == "mail"


@pytest.mark.parametrize("mischief", ["b@y.example>\r\nDATA", "b\n@y.example", "b\0@y.example"])
async def test_an_injection_in_an_address_never_reaches_the_wire(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks, mischief: str
) -> None:
    session = await pipelined()

    with pytest.raises(MessageRefusedLocally):
        await session.send(mail_object("cc@y.example", mischief), mark)
    with pytest.raises(MessageRefusedLocally):
        await session.send(mail_object(reverse_path=mischief), mark)

    assert script.writes[-1].startswith(b"EHLO")
    assert session.is_reusable


async def test_a_message_beyond_the_server_s_size_never_reaches_the_wire(
    script: ScriptedStream, open_session: OpenSession, mail_object: Make, mark: Marks
) -> None:
    script.plays("S: 220 hi\nC: EHLO me.example\nS: 250-hi\nS: 250 SIZE 10")
    session = await open_session()

    with pytest.raises(MessageRefusedLocally, match="10 at most"):
        await session.send(mail_object(), mark)

    assert session.is_reusable


async def test_a_group_s_reply_cut_anywhere_is_the_same(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays("C: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\nC: DATA")
    for cut in (b"2", b"50-ok\r\n250 ", b"ok\r\n250 ok\r", b"\n354", b" go\r\n"):
        script.says(cut)
    script.plays("C: Subject: hi\nC:\nC: hello\nC: .\nS: 250 queued")

    result = await session.send(mail_object(), mark)

    assert result.is_accepted


async def test_vrfy_noop_and_rset_give_their_replies(
    script: ScriptedStream, lockstep: Opened
) -> None:
    session = await lockstep()
    script.plays("C: VRFY li\nS: 252 perhaps\nC: NOOP\nS: 250 ok\nC: RSET\nS: 250 ok")

    replies = [await session.verify("li"), await session.noop(), await session.reset()]

    assert [reply.code for reply in replies] == [252, 250, 250]


async def test_quit_takes_leave_and_closes(script: ScriptedStream, lockstep: Opened) -> None:
    session = await lockstep()
    script.plays("C: QUIT\nS: 221 bye")

    await session.quit()
    await session.quit()

    assert not session.is_reusable
    assert script.is_aborted


@pytest.mark.parametrize("trouble", ["S: (silent)", "S: (close)", "S: what?"])
async def test_quit_never_raises(script: ScriptedStream, lockstep: Opened, trouble: str) -> None:
    session = await lockstep()
    script.plays(f"C: QUIT\n{trouble}")

    await session.quit()

    assert script.is_aborted


async def test_repr_names_server_and_state(script: ScriptedStream, lockstep: Opened) -> None:
    session = await lockstep()

    assert repr(session) == "<Session mx.example:587 | 0 transactions, ready>"


async def test_the_transcript_shows_both_sides_and_content_as_one_line(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, lines: list[str]
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 250 queued")

    await session.send(mail_object(), mark)

    assert lines[-9:] == [
        "C: MAIL FROM:<a@x.example>",
        "S: 250 ok",
        "C: RCPT TO:<b@y.example>",
        "S: 250 ok",
        "C: DATA",
        "S: 354 go on",
        "C: [22 bytes of content]",
        "C: .",
        "S: 250 queued",
    ]


@pytest.mark.parametrize("behind", ["250 nobody asked for it", "421 going down"])
async def test_what_comes_with_the_354_and_ends_the_session_names_host_and_stage(
    behind: str, script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(
        f"""
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<b@y.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go on
        S: {behind}
        """
    )

    with pytest.raises(SessionError, match=behind) as caught:
        await session.send(mail_object(), mark)

    assert (caught.value.host, caught.value.stage) == (WHERE, Stage.DATA)
    assert script.is_aborted
