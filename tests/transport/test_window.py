"""Whole messages ahead of their replies (BDAT), read as transcripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.bdat_scripts import ONE, REFUSED, THREE, TWO
from support.scripted_stream import TAKEN, ScriptedStream
from support.settling import outcome

from bulkmail.errors import MessageRefusedLocally
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


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
