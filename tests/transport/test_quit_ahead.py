"""QUIT behind whole messages that have no reply yet (RFC 2920, 3.1), read as transcripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import CHUNKING_GREETING, TAKEN, OpenSession, ScriptedStream
from support.settling import outcomes

from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

ONE = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<b@y.example>
    C: BDAT 22 LAST
    C: Subject: hi
    C:
    C: hello
"""
TWO = ONE.replace("<b@", "<c@")
QUIT = "C: QUIT\n"
BYE = "S: 221 2.0.0 bye\n"


@pytest.fixture
def mails(mail_object: Make) -> tuple[MailObject, MailObject]:
    return mail_object("b@y.example"), mail_object("c@y.example")


async def leave(session: Session, *mails: MailObject) -> None:
    for mail in mails:
        await session.post(mail)
    await session.leave()


async def test_it_rides_behind_the_last_message_and_costs_no_round_trip(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + QUIT + TAKEN + TAKEN + BYE)

    await leave(session, *mails)
    await session.leave()

    assert session.window == 0
    had_left = session.has_left
    assert await outcomes(session, 2) == ["250 2.0.0 queued"] * 2
    assert (had_left, session.has_left) == (False, True)
    assert not session.is_reusable
    script.waited_for.clear()
    await session.quit()
    assert script.waited_for == []
    assert script.is_aborted


async def test_its_reply_is_waited_for_where_it_comes_late(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + QUIT)
    script.says(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 queued\r\n")
    script.says(b"221 2.0.0 bye\r\n")

    await leave(session, mails[0])
    assert await outcomes(session, 1) == ["250 2.0.0 queued"]
    await session.quit()

    assert script.waited_for[-1] == Stage.QUIT


@pytest.mark.parametrize("end", ["S: (close)", "S: (reset)"])
async def test_replies_that_are_dropped_at_the_sight_of_it_are_in_doubt_and_it_is_not_said_again(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust, end: str
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + QUIT + TAKEN + end)

    await leave(session, *mails)

    assert await outcomes(session, 2) == ["250 2.0.0 queued", Stage.END_OF_DATA]
    assert trust.level is Level.GLUE
    assert not trust.may_quit_ahead()


async def test_a_refusal_before_it_is_heard_as_ever(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    refused = "S: 250 ok\nS: 250 ok\nS: 452 4.2.2 full\n"
    script.plays(ONE + TWO + QUIT + refused + TAKEN + BYE)

    await leave(session, *mails)

    assert await outcomes(session, 2) == ["452 4.2.2 full", "250 2.0.0 queued"]
    await session.quit()


async def test_it_is_tried_by_one_session_alone_until_it_went_well(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    first = await windowed()
    script.plays(ONE + QUIT)
    await leave(first, mails[0])

    assert not trust.may_quit_ahead()
    script.plays(TAKEN + BYE)
    assert await outcomes(first, 1) == ["250 2.0.0 queued"]
    assert trust.may_quit_ahead()
    await first.quit()


async def test_it_is_not_said_to_a_server_that_has_not_taken_whole_messages_ahead(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...]
) -> None:
    script.plays(CHUNKING_GREETING + ONE + TAKEN)
    session = await open_session(trust=Trust())

    await leave(session, mails[0])

    assert await outcomes(session, 1) == ["250 2.0.0 queued"]
    assert session.is_reusable


async def test_it_is_not_said_where_something_has_come_that_was_not_heard(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    session = await windowed()
    script.plays(ONE)
    await session.post(mails[0])
    await session.flush()
    script.catch_up()
    script.says_at_once(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 queued\r\n")

    await session.leave()
    await session.leave()

    assert await outcomes(session, 1) == ["250 2.0.0 queued"]
    assert trust.may_quit_ahead()


async def test_nothing_is_said_where_nothing_is_on_its_way(
    script: ScriptedStream, windowed: Opened
) -> None:
    session = await windowed()

    await session.leave()

    assert session.is_reusable
    assert len(script.writes) == 1
