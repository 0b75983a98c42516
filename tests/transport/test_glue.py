"""The next message's envelope behind this one's final dot, read as transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import PIPELINING_GREETING, Marks, OpenSession, ScriptedStream

from bulkmail.errors import ConnectionLost, ProtocolViolation, SessionError, StageTimeout
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

FIRST = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<b@y.example>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go on
"""
GLUED = """
    C: Subject: hi
    C:
    C: hello
    C: .
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<c@y.example>
    C: DATA
"""
ALONE = """
    C: Subject: hi
    C:
    C: hello
    C: .
"""


def no() -> bool:
    return False


async def test_a_message_is_one_round_trip_where_another_follows(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    first, second = mail_object("b@y.example"), mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 2.0.0 first queued
        S: 250 ok
        S: 250 ok
        S: 354 go on
        """
        + ALONE
        + "S: 250 2.0.0 second queued"
    )

    one = await session.send(first, mark, follower=second)
    ahead = session.ahead
    two = await session.send(second, mark)

    assert ahead is second
    assert (str(one.end_of_data), str(two.end_of_data)) == (
        "250 2.0.0 first queued",
        "250 2.0.0 second queued",
    )
    assert session.ahead is None
    assert session.transactions == 2
    assert mark.count == 2


async def test_nothing_follows_without_leave(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + ALONE + "S: 250 queued")

    result = await session.send(
        mail_object(), mark, follower=mail_object("c@y.example"), may_follow=no
    )

    assert result.is_accepted
    assert session.ahead is None
    assert session.is_reusable


async def test_nothing_follows_without_pipelining(
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
        """
        + ALONE
        + "S: 250 queued"
    )

    await session.send(mail_object(), mark, follower=mail_object("c@y.example"))

    assert session.ahead is None
    assert not session.takes_followers


async def test_a_refused_recipient_behind_the_dot_is_that_message_s_alone(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 554 5.5.1 no valid recipients
        C: RSET
        S: 250 flushed
        """
    )

    one = await session.send(mail_object("b@y.example"), mark, follower=second)
    two = await session.send(second, mark)

    assert one.is_accepted
    assert two.decisive is not None
    assert two.decisive[0] is Stage.RCPT
    assert mark.count == 1
    assert session.is_reusable


async def test_a_354_behind_a_refused_recipient_gets_a_lone_dot(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 354 go on
        C: .
        S: 554 5.5.1 no valid recipients
        """
    )

    await session.send(mail_object("b@y.example"), mark, follower=second)
    two = await session.send(second, mark, follower=mail_object("d@y.example"))

    assert not two.is_accepted
    assert mark.count == 1
    assert session.ahead is None


async def test_a_354_behind_a_refused_mail_is_cut_where_somebody_was_taken(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 451 4.3.0 not now
        S: 250 ok
        S: 354 go on
        """
    )

    await session.send(mail_object("b@y.example"), mark, follower=second)
    two = await session.send(second, mark)

    assert two.decisive is not None
    assert two.decisive[0] is Stage.MAIL
    assert script.is_aborted
    assert mark.count == 1


@pytest.mark.parametrize("refusal", ["452 4.3.1 disk full", "554 5.7.1 spam"])
async def test_a_refused_content_does_not_concern_the_follower(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks, refusal: str
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + f"""
        S: {refusal}
        S: 250 ok
        S: 250 ok
        S: 354 go on
        """
        + ALONE
        + "S: 250 queued"
    )

    one = await session.send(mail_object("b@y.example"), mark, follower=second)
    two = await session.send(second, mark)

    assert str(one.end_of_data) == refusal
    assert two.is_accepted


@pytest.mark.parametrize("end", ["(close)", "(reset)", "(silent)"])
async def test_a_reply_lost_puts_the_first_in_doubt_and_not_the_follower(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks, end: str
) -> None:
    session = await pipelined()
    script.plays(FIRST + GLUED + f"S: {end}")

    with pytest.raises(SessionError) as caught:
        await session.send(mail_object(), mark, follower=mail_object("c@y.example"))

    assert caught.value.stage == Stage.END_OF_DATA
    assert session.ahead is None
    assert mark.count == 1


async def test_a_session_that_ends_behind_the_first_reply_leaves_the_follower_unbegun(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(FIRST + GLUED + "S: 250 queued")
    script.plays("S: (close)")

    one = await session.send(mail_object(), mark, follower=second)
    with pytest.raises(ConnectionLost) as caught:
        await session.send(second, mark)

    assert one.is_accepted
    assert caught.value.stage == Stage.MAIL
    assert mark.count == 1


async def test_a_421_between_is_the_follower_s_reply_to_mail(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 421 4.7.0 enough for one connection
        """
    )

    one = await session.send(mail_object(), mark, follower=second)
    two = await session.send(second, mark)

    assert one.is_accepted
    assert two.mail is not None
    assert two.mail.is_closing
    assert not session.is_reusable
    assert mark.count == 1


async def test_with_cc_data_waits_for_every_recipient_behind_the_dot_as_well(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("gone@y.example", "cc@y.example")
    script.plays(
        FIRST
        + ALONE
        + """
        C: MAIL FROM:<a@x.example>
        C: RCPT TO:<gone@y.example>
        C: RCPT TO:<cc@y.example>
        S: 250 queued
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 250 ok
        C: RSET
        S: 250 flushed
        """
    )

    await session.send(mail_object(), mark, follower=second)
    two = await session.send(second, mark)

    assert not two.is_accepted
    assert mark.count == 1
    assert session.is_reusable


async def test_nothing_rides_behind_a_message_whose_cc_was_refused(
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
        S: 452 4.5.3 too many recipients
        C: DATA
        S: 354 go on
        """
        + ALONE
        + "S: 250 queued"
    )

    await session.send(
        mail_object("b@y.example", "cc@y.example"), mark, follower=mail_object("d@y.example")
    )

    assert session.ahead is None


async def test_a_follower_that_this_server_cannot_take_is_left_for_its_own_turn(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + ALONE + "S: 250 queued")

    await session.send(mail_object(), mark, follower=mail_object("jörg@y.example"))

    assert session.ahead is None
    assert session.is_reusable


async def test_the_follower_s_mark_is_made_before_any_of_its_content(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 250 ok
        S: 250 ok
        S: 354 go on
        """
        + ALONE
        + "S: 250 queued"
    )

    await session.send(mail_object(), mark, follower=second)
    await session.send(second, mark)

    assert mark.written_before.endswith(b"RCPT TO:<c@y.example>\r\nDATA\r\n")


async def test_a_cancelled_first_cuts_the_connection_and_the_follower_is_not_out(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + GLUED + "S: (hang)")
    sending = asyncio.create_task(
        session.send(mail_object(), mark, follower=mail_object("c@y.example"))
    )
    await script.hung(sending)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert script.is_aborted
    assert not session.is_reusable
    assert mark.count == 1


async def test_what_is_done_meanwhile_is_done_behind_the_dot_and_ahead_of_the_reply(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + GLUED + "S: 250 queued")
    meanwhile = Marks(script)

    result = await session.send(
        mail_object(), mark, follower=mail_object("c@y.example"), meanwhile=meanwhile
    )

    assert result.is_accepted
    assert meanwhile.written_before.endswith(
        b"\r\n.\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\n"
    )
    assert meanwhile.count == 1


async def test_a_cancellation_of_what_is_done_meanwhile_cuts_the_connection(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + ALONE)
    meanwhile = Marks(script)
    meanwhile.hangs = asyncio.Event()
    sending = asyncio.create_task(session.send(mail_object(), mark, meanwhile=meanwhile))
    await meanwhile.hangs.wait()

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert script.is_aborted
    assert not session.is_reusable


async def test_a_server_that_loses_the_thread_is_spoken_to_in_lockstep_from_then_on(
    script: ScriptedStream, open_session: OpenSession, mail_object: Make, mark: Marks
) -> None:
    trust = Trust()
    script.plays(PIPELINING_GREETING)
    session = await open_session(trust=trust)
    second = mail_object("c@y.example")
    script.plays(
        FIRST
        + GLUED
        + """
        S: 250 queued
        S: 503 5.5.0 improper use of SMTP command pipelining
        S: 503 5.5.0 improper use of SMTP command pipelining
        S: 503 5.5.0 improper use of SMTP command pipelining
        """
    )

    one = await session.send(mail_object(), mark, follower=second)
    with pytest.raises(ProtocolViolation, match="lost the thread") as caught:
        await session.send(second, mark)

    assert one.is_accepted
    assert caught.value.stage == Stage.MAIL
    assert trust.level is Level.LOCKSTEP
    assert script.is_aborted


async def test_a_server_that_drops_what_stood_behind_the_dot_is_found_out(
    script: ScriptedStream, open_session: OpenSession, mail_object: Make, mark: Marks
) -> None:
    trust = Trust()
    script.plays(PIPELINING_GREETING)
    session = await open_session(trust=trust)
    second = mail_object("c@y.example")
    script.plays(FIRST + GLUED + "S: 250 queued")
    script.plays("S: (silent)")

    await session.send(mail_object(), mark, follower=second)
    with pytest.raises(StageTimeout) as caught:
        await session.send(second, mark)

    assert caught.value.stage == Stage.MAIL
    assert trust.level is Level.LOCKSTEP


async def test_in_lockstep_a_server_that_offers_pipelining_hears_one_command_at_a_time(
    script: ScriptedStream, open_session: OpenSession, mail_object: Make, mark: Marks
) -> None:
    trust = Trust()
    trust.level = Level.LOCKSTEP
    script.plays(PIPELINING_GREETING)
    session = await open_session(trust=trust)
    script.plays(
        """
        C: MAIL FROM:<a@x.example>
        S: 250 ok
        C: RCPT TO:<b@y.example>
        S: 250 ok
        C: DATA
        S: 354 go on
        """
        + ALONE
        + "S: 250 queued"
    )

    result = await session.send(mail_object(), mark, follower=mail_object("c@y.example"))

    assert result.is_accepted
    assert not session.takes_followers


async def test_a_reply_is_weighed_against_the_dot_and_not_what_rides_behind(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + GLUED + "S: 250 queued")
    script.unsent = len(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\n")

    result = await session.send(mail_object(), mark, follower=mail_object("c@y.example"))

    assert result.is_accepted


async def test_the_dot_unsent_is_no_acceptance(
    script: ScriptedStream, pipelined: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await pipelined()
    script.plays(FIRST + GLUED + "S: 250 queued")
    script.unsent = 1 + len(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\n")

    with pytest.raises(ProtocolViolation, match="before its end"):
        await session.send(mail_object(), mark, follower=mail_object("c@y.example"))
