"""One message: commands, replies and who gets it, read as transcripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import Marks, ScriptedStream

from bulkmail.delivery.ports import Session as SessionPort
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


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
