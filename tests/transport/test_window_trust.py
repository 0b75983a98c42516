"""How far ahead of its replies a server is trusted, and by which command, read as transcripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.bdat_scripts import ONE, REFUSED, THREE, TWO
from support.scripted_stream import CHUNKING_GREETING, TAKEN, OpenSession, ScriptedStream
from support.settling import outcome

from bulkmail.errors import ConnectionLost
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


async def test_a_server_that_loses_the_thread_is_heard_to_the_end_and_not_trusted_again(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    session = await windowed()
    script.plays(
        ONE
        + TWO
        + THREE
        + """
        S: 250 2.1.0 ok
        S: 550 5.1.1 no such user
        S: 503 5.5.1 RCPT first
        S: 503 5.5.1 sender already given
        S: 250 2.1.5 ok
        S: 250 2.0.0 queued
        S: 503 5.5.1 sender already given
        S: 503 5.5.1 what
        S: 503 5.5.1 what
        """
    )

    for mail in mails:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(3)]

    assert outcomes == ["rcpt: 550 5.1.1 no such user", "250 2.0.0 queued", Stage.MAIL]
    assert trust.level is Level.GLUE
    assert session.window == 0
    assert not session.is_reusable
    assert script.is_aborted


async def test_whom_a_reply_too_many_meets_is_in_doubt_where_the_server_takes_bdat(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    """What is read as the answer to the content stands before it: that one was taken."""
    session = await windowed()
    script.plays(
        ONE + TAKEN + TWO + THREE + "S: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 500 what" + TAKEN
    )

    await session.post(mails[0])
    outcomes = [await outcome(session)]
    for mail in mails[1:]:
        await session.post(mail)
    outcomes.append(await outcome(session))

    assert outcomes == ["250 2.0.0 queued", Stage.END_OF_DATA]
    assert trust.level is Level.GLUE


async def test_a_server_that_refuses_its_first_bdat_may_know_none_and_gets_data_from_then_on(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...]
) -> None:
    script.plays(CHUNKING_GREETING)
    trust = Trust()
    session = await open_session(trust=trust)
    script.plays(ONE + TWO + 2 * REFUSED)

    for mail in mails[:2]:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(2)]

    assert outcomes == [Stage.MAIL, Stage.MAIL], "nothing is held against the messages"
    assert trust.level is Level.GLUE


BY_DATA = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<b@y.example>
    C: DATA
    S: 250 2.1.0 ok
    S: 250 2.1.5 ok
    S: 354 go ahead
    C: Subject: hi
    C:
    C: ..dot one
    C: ..
    C: .
"""


@pytest.mark.parametrize(
    "by_data", ["250 2.0.0 queued", "451 4.7.1 greylisted", "550 5.7.1 transaction failed"]
)
async def test_whose_fault_the_refusal_of_a_first_bdat_is_the_answer_to_data_tells(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...], by_data: str
) -> None:
    script.plays(CHUNKING_GREETING)
    trust = Trust()
    session = await open_session(trust=trust)
    script.plays(2 * (ONE + REFUSED.replace("554", "550 5.7.1") + BY_DATA + f"S: {by_data}\n"))
    questions = []

    for _ in range(2):
        await session.post(mails[0])
        assert await outcome(session) == "end of data: 550 5.7.1 transaction failed"
        questions.append(session.is_in_question)
        assert (session.window == 1) is session.is_in_question, "the next one goes by DATA"
        await session.send(mails[0], None)

    is_alike = by_data.startswith("550")
    assert questions == [True, not is_alike], "other words may be about that message alone"
    assert trust.level is (Level.WINDOW if is_alike else Level.GLUE)


async def test_what_is_refused_by_bdat_and_by_data_is_no_question_again(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...]
) -> None:
    script.plays(CHUNKING_GREETING)
    trust = Trust()
    session = await open_session(trust=trust)
    refusal = Reply(550, ("5.7.1 transaction failed",))
    trust.refused_bdat(refusal)
    trust.answered_data(refusal)
    script.plays(ONE + REFUSED.replace("554", "550 5.7.1"))

    await session.post(mails[0])

    assert await outcome(session) == "end of data: 550 5.7.1 transaction failed"
    assert not session.is_in_question
    assert trust.level is Level.WINDOW


async def test_a_server_that_took_bdat_before_refuses_the_message_by_it(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    session = await windowed()
    script.plays(ONE + REFUSED)

    await session.post(mails[0])

    assert await outcome(session) == "end of data: 554 transaction failed"
    assert trust.level is Level.WINDOW


@pytest.mark.parametrize(
    ("greeting", "window"),
    [
        (CHUNKING_GREETING, 2),
        (CHUNKING_GREETING.replace("CHUNKING", "SIZE"), 1),
        (CHUNKING_GREETING.replace("PIPELINING", "SIZE"), 1),
    ],
    ids=["offered", "no CHUNKING", "no PIPELINING"],
)
async def test_the_window_is_small_until_the_server_has_shown_that_it_can_do_it(
    script: ScriptedStream, open_session: OpenSession, greeting: str, window: int
) -> None:
    script.plays(greeting)

    session = await open_session()

    assert session.window == window


async def test_with_dovecots_submission_nothing_stands_behind_an_end_of_data(
    script: ScriptedStream, open_session: OpenSession
) -> None:
    """It would die of it, and leave in doubt what it took."""
    script.plays(
        CHUNKING_GREETING.replace("S: 250 CHUNKING", "S: 250-BURL imap\n    S: 250 CHUNKING")
    )
    trust = Trust()
    session = await open_session(trust=trust)

    assert session.window == 1
    assert not session.takes_followers
    assert trust.level is Level.GROUP


async def test_the_window_is_as_wide_as_it_is_set_once_one_was_taken_with_another_behind(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...]
) -> None:
    script.plays(CHUNKING_GREETING)
    session = await open_session(window=16)
    script.plays(ONE + TAKEN)
    await session.post(mails[0])
    await session.settle()
    assert session.window == 2, "alone it shows nothing"
    script.plays(ONE + TWO + TAKEN + TAKEN)

    await session.post(mails[0])
    await session.post(mails[1])
    await session.settle()

    assert session.window == 16


async def test_a_loss_before_the_server_has_shown_it_is_held_against_it(
    script: ScriptedStream, open_session: OpenSession, mails: tuple[MailObject, ...]
) -> None:
    trust = Trust()
    script.plays(CHUNKING_GREETING)
    session = await open_session(trust=trust)
    script.plays(ONE)
    script.plays("S: (close)")

    await session.post(mails[0])
    with pytest.raises(ConnectionLost):
        await session.settle()

    assert trust.level is Level.GLUE
