"""Whole messages ahead of their replies (BDAT), read as transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import CHUNKING_GREETING, TAKEN, OpenSession, ScriptedStream

from bulkmail.errors import (
    ConnectionLost,
    MessageRefusedLocally,
    ProtocolViolation,
    SessionError,
)
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

ONE = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<b@y.example>
    C: BDAT 28 LAST
    C: Subject: hi
    C:
    C: .dot one
    C: .
"""
TWO = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<c@y.example>
    C: BDAT 20 LAST
    C: Subject: hi
    C:
    C: two
"""
THREE = TWO.replace("<c@", "<d@")
REFUSED = """
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 554 transaction failed
"""
CONTENT_ONE = b"Subject: hi\r\n\r\n.dot one\r\n.\r\n"
CONTENT = b"Subject: hi\r\n\r\ntwo\r\n"


@pytest.fixture
def mails(mail_object: Make) -> tuple[MailObject, MailObject, MailObject]:
    return (
        mail_object("b@y.example", content=CONTENT_ONE),
        mail_object("c@y.example", content=CONTENT),
        mail_object("d@y.example", content=CONTENT),
    )


async def outcome(session: Session) -> str:
    """The decisive reply, or the stage of what was raised."""
    try:
        result = await session.settle()
    except SessionError as error:
        return error.stage
    if result.is_accepted:
        return str(result.end_of_data)
    assert result.decisive is not None
    stage, reply = result.decisive
    return f"{stage.value}: {reply}"


async def test_messages_go_ahead_of_their_replies_and_are_not_dot_stuffed(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + TAKEN + TAKEN)

    for mail in mails[:2]:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(2)]

    assert outcomes == ["250 2.0.0 queued"] * 2
    assert session.is_reusable
    assert session.transactions == 2
    # EHLO, and both messages.
    assert len(script.writes) == 2


async def test_what_is_prepared_goes_as_it_is_and_only_where_it_is_posted(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + THREE + TWO + TAKEN * 3)

    for mail in mails:
        session.prepare(mail)
    # The second of them is held back, and comes later after all.
    for mail in (mails[0], mails[2], mails[1]):
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(3)]

    assert outcomes == ["250 2.0.0 queued"] * 3


async def test_what_cannot_be_prepared_is_refused_when_it_is_posted(
    script: ScriptedStream, windowed: Opened, mail_object: Make, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(TWO + TAKEN)
    bad = mail_object("b\r\nRCPT TO:<x@y.example>@y.example")

    session.prepare(bad)
    session.prepare(mails[1])
    with pytest.raises(MessageRefusedLocally):
        await session.post(bad)
    await session.post(mails[1])

    assert await outcome(session) == "250 2.0.0 queued"
    assert session.transactions == 1


async def test_a_refused_recipient_s_content_goes_to_nobody_and_stops_nobody(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(
        ONE
        + TWO
        + """
        S: 250 2.1.0 ok
        S: 550 5.1.1 no such user
        S: 554 5.5.1 no valid recipients
        """
        + TAKEN
    )

    for mail in mails[:2]:
        await session.post(mail)
    outcomes = [await outcome(session) for _ in range(2)]

    assert outcomes == ["rcpt: 550 5.1.1 no such user", "250 2.0.0 queued"]
    assert session.is_reusable


async def test_a_good_word_for_the_content_of_a_refused_recipient_is_no_acceptance(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(
        ONE
        + """
        S: 250 2.1.0 ok
        S: 550 5.1.1 no such user
        S: 250 2.0.0 discarded
        """
    )

    await session.post(mails[0])
    result = await session.settle()

    assert not result.is_accepted


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


async def test_what_is_behind_may_wait_while_the_first_is_accepted(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + TAKEN + TAKEN)
    await session.post(mails[0])
    await session.post(mails[1])
    script.unsent = 60

    assert await outcome(session) == "250 2.0.0 queued"
    script.unsent = 0
    assert await outcome(session) == "250 2.0.0 queued"


async def test_a_message_this_server_cannot_take_is_refused_before_a_word(
    script: ScriptedStream, windowed: Opened, mail_object: Make
) -> None:
    session = await windowed()
    said = len(script.writes)

    with pytest.raises(MessageRefusedLocally):
        await session.post(mail_object("jörg@y.example"))

    assert len(script.writes) == said
    assert session.is_reusable


async def test_what_the_check_raises_leaves_the_session_as_it_was(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    def too_late() -> None:
        raise RuntimeError("too late")

    session = await windowed()
    said = len(script.writes)

    with pytest.raises(RuntimeError, match="too late"):
        await session.post(mails[0], check=too_late)

    assert len(script.writes) == said
    assert session.transactions == 0


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


async def test_one_that_does_not_fit_into_a_write_with_the_rest_waits_until_that_was_handed_over(
    script: ScriptedStream, windowed: Opened, mail_object: Make
) -> None:
    session = await windowed()
    lines = ["Subject: hi", "", *["y" * 76] * 2_000]
    content = b"".join(f"{line}\r\n".encode() for line in lines)
    mails = [mail_object(f"{name}@y.example", content=content) for name in "bc"]
    for mail in mails:
        said = ["MAIL FROM:<a@x.example>", f"RCPT TO:<{mail.envelope.forward_paths[0]}>"]
        said += [f"BDAT {len(content)} LAST", *lines]
        script.plays("\n".join(f"C: {line}".rstrip() for line in said))
    before = len(script.writes)
    written: list[int] = []

    for mail in mails:
        await session.post(mail, check=lambda: written.append(len(script.writes) - before))
    unsent = session.unsent
    await session.flush()

    assert written[0] == 0
    assert written[1] > 0
    assert (unsent, session.unsent) == (1, 0)


async def test_what_is_plainly_accepted_by_now_is_told_at_once(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + THREE + TWO + TAKEN + TAKEN + TAKEN + REFUSED)
    for mail in (*mails, mails[1]):
        await session.post(mail)

    assert not session.accepted()
    assert await outcome(session) == "250 2.0.0 queued"
    assert [str(reply) for reply in session.accepted()] == ["250 2.0.0 queued"] * 2
    assert not session.accepted()
    assert await outcome(session) == "end of data: 554 transaction failed"
    assert session.is_reusable


async def test_an_acceptance_of_what_has_not_left_is_not_told_as_a_plain_one(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(ONE + TWO + TAKEN + TAKEN)
    await session.post(mails[0])
    await session.post(mails[1])
    script.unsent = 1

    assert await outcome(session) == "250 2.0.0 queued"
    assert not session.accepted()
    assert await outcome(session) == Stage.END_OF_DATA


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
