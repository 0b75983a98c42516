"""Who of a window is in doubt, who is refused, and who was not begun, read as transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.bdat_scripts import ONE, THREE, TWO
from support.scripted_stream import TAKEN, ScriptedStream
from support.settling import outcome

from bulkmail.errors import ProtocolViolation
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


async def test_what_is_in_doubt_after_a_loss_is_the_window_without_who_was_answered(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + THREE + TAKEN + "S: 250 2.1.0 ok")
    script.plays("S: (reset)")

    for mail in mails:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(3)]

    assert outcomes == ["250 2.0.0 queued", Stage.END_OF_DATA, Stage.END_OF_DATA]
    assert session.window == 0


async def test_who_was_refused_before_a_loss_is_refused_and_not_in_doubt(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(
        ONE
        + TWO
        + """
        S: 250 2.1.0 ok
        S: 550 5.1.1 no such user
        """
    )
    script.plays("S: (close)")

    for mail in mails[:2]:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(2)]

    assert outcomes == ["rcpt: 550 5.1.1 no such user", Stage.END_OF_DATA]


async def test_behind_a_421_nothing_was_begun(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + THREE + TAKEN + "S: 421 4.7.0 enough for one connection")

    for mail in mails:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(3)]

    assert outcomes == [
        "250 2.0.0 queued",
        "mail: 421 4.7.0 enough for one connection",
        Stage.MAIL,
    ]


async def test_what_is_posted_on_a_session_that_is_over_was_not_begun(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE)
    script.plays("S: (close)")
    await session.post(mails[0])
    await outcome(session)

    await session.post(mails[1])

    assert session.is_answered
    assert await outcome(session) == Stage.MAIL


async def test_a_reply_nobody_asked_for_ends_the_window(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    session = await windowed()
    script.plays(ONE + TAKEN + "S: 250 and once more")

    await session.post(mails[0])
    first = await outcome(session)
    await session.post(mails[1])

    assert first == "250 2.0.0 queued"
    assert await outcome(session) == Stage.MAIL
    assert trust.level is Level.GLUE


async def test_an_acceptance_of_what_has_not_left_is_none(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TAKEN)
    await session.post(mails[0])
    script.unsent = 1

    with pytest.raises(ProtocolViolation, match="before its end") as caught:
        await session.settle()

    assert caught.value.stage == Stage.END_OF_DATA


async def test_a_cancelled_wait_cuts_the_connection(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + "S: (hang)")
    await session.post(mails[0])
    settling = asyncio.create_task(session.settle())
    await script.hung(settling)

    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling

    assert script.is_aborted


async def test_what_waits_to_be_handed_over_is_not_in_doubt_and_not_for_another(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    await session.post(mails[0])
    is_free = session.is_reusable
    # The server hangs up before any of it was written.
    script.has_ended = True

    assert not is_free
    assert await outcome(session) == "mail"
    assert len(script.writes) == 1


async def test_what_was_said_before_a_loss_is_heard_though_more_was_to_be_handed_over(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TAKEN)
    script.plays("S: (close)")
    await session.post(mails[0])
    await session.flush()
    # A write met the reset: the transport is closing, and what came before is not read yet.
    script.has_ended = True

    await session.post(mails[1])

    assert not script.is_aborted
    assert await outcome(session) == "250 2.0.0 queued"
    assert await outcome(session) == Stage.MAIL


@pytest.mark.parametrize(
    "behind",
    [
        # The content was read as commands, and the message behind it was taken.
        "S: 500 what\nS: 500 what\nS: 500 what",
        # One reply too many: what seems to answer the last content answers its RCPT.
        TAKEN,
        "S: 250 2.0.0 queued\nS: 550 5.1.1 no such user\nS: 503 5.5.1 RCPT first",
    ],
)
async def test_behind_a_reply_too_many_no_reply_is_a_word_on_anybody(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], behind: str
) -> None:
    session = await windowed()
    two = "\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 503 5.5.1 what\n"
    script.plays(ONE + TAKEN + TWO + THREE + two + behind)

    await session.post(mails[0])
    outcomes = [await outcome(session)]
    for mail in mails[1:]:
        await session.post(mail)
    outcomes += [await outcome(session) for _ in range(2)]

    assert outcomes == ["250 2.0.0 queued", Stage.END_OF_DATA, Stage.END_OF_DATA]


async def test_behind_a_reply_too_many_and_a_421_nothing_was_begun(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    two = "\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 503 5.5.1 what\nS: 421 4.7.0 bye"
    script.plays(ONE + TAKEN + TWO + THREE + two)

    await session.post(mails[0])
    outcomes = [await outcome(session)]
    for mail in mails[1:]:
        await session.post(mail)
    outcomes += [await outcome(session) for _ in range(2)]

    assert outcomes == ["250 2.0.0 queued", Stage.END_OF_DATA, "mail: 421 4.7.0 bye"]
