"""Messages of different reverse-paths ahead of their replies (BDAT): RSET stands between them.

Exim answers a BDAT behind a refused RCPT with 503 and keeps the transaction: it refuses the next
MAIL, takes the RCPT and the content behind it, and would send that under the former reverse-path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import TAKEN, ScriptedStream
from support.settling import outcomes

from bulkmail.message.mail_object import MailObject
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Level, Trust

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

FIRST = """
    C: MAIL FROM:<to-b@x.example>
    C: RCPT TO:<b@y.example>
    C: BDAT 22 LAST
    C: Subject: hi
    C:
    C: hello
"""
SECOND = "C: RSET\n" + FIRST.replace("b@", "c@")
RESET = "S: 250 Reset OK\n"
NOBODY = """
    S: 250 OK
    S: 550 no such user
    S: 503 Valid RCPT command must precede BDAT
"""
KEPT = """
    S: 503 sender already given
    S: 250 Accepted
    S: 250 2.0.0 queued
"""


@pytest.fixture
def mails(mail_object: Make) -> tuple[MailObject, MailObject]:
    return (
        mail_object("b@y.example", reverse_path="to-b@x.example"),
        mail_object("c@y.example", reverse_path="to-c@x.example"),
    )


async def both(session: Session, mails: tuple[MailObject, ...]) -> list[str]:
    for mail in mails:
        await session.post(mail)
    return await outcomes(session, len(mails))


async def test_a_refused_recipient_leaves_nothing_to_the_message_behind(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(FIRST + SECOND + NOBODY + RESET + TAKEN)

    assert await both(session, mails) == ["550 no such user", "250 2.0.0 queued"]
    assert session.window > 1


async def test_messages_of_one_reverse_path_need_none(
    script: ScriptedStream, windowed: Opened, mail_object: Make
) -> None:
    session = await windowed()
    again = FIRST.replace("TO:<b@", "TO:<c@")
    script.plays(FIRST + again + TAKEN + TAKEN)
    alike = [
        mail_object(to, reverse_path="to-b@x.example") for to in ("b@y.example", "c@y.example")
    ]

    assert await both(session, tuple(alike)) == ["250 2.0.0 queued"] * 2


async def test_the_replies_of_all_that_were_accepted_are_taken_at_once(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(FIRST + SECOND + TAKEN + RESET + TAKEN)
    for mail in mails:
        await session.post(mail)
    first = await session.settle()

    assert first.is_accepted
    assert session.is_answered
    assert [str(reply) for reply in session.accepted()] == ["250 2.0.0 queued"]


async def test_what_has_the_reply_to_reset_alone_is_not_answered(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(FIRST + SECOND + TAKEN + RESET + "S: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: (close)")
    for mail in mails:
        await session.post(mail)
    await session.settle()

    assert not session.is_answered
    assert session.accepted() == []
    assert await outcomes(session, 1) == ["end of data"]


async def test_the_servers_farewell_to_it_takes_nothing_of_what_is_behind(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...], trust: Trust
) -> None:
    session = await windowed()
    script.plays(FIRST + SECOND + TAKEN + "S: 421 too many messages in this connection")

    assert await both(session, mails) == ["250 2.0.0 queued", "mail"]
    assert trust.level is Level.WINDOW


async def test_a_refusal_of_it_is_a_reply_too_many_and_leaves_the_one_behind_in_doubt(
    script: ScriptedStream, windowed: Opened, mails: tuple[MailObject, ...]
) -> None:
    session = await windowed()
    script.plays(FIRST + SECOND + TAKEN + "S: 500 what was that?\n" + RESET + TAKEN)

    assert await both(session, mails) == ["250 2.0.0 queued", "end of data"]
    assert session.window < 2


async def test_a_server_that_keeps_a_refused_envelope_is_told_to_forget_it_from_then_on(
    script: ScriptedStream, windowed: Opened, mail_object: Make, trust: Trust
) -> None:
    session = await windowed()
    alike = [mail_object(f"{name}@y.example", reverse_path="to-b@x.example") for name in "bcd"]
    second, third = (FIRST.replace("TO:<b@", f"TO:<{name}@") for name in "cd")
    script.plays(FIRST + second + NOBODY + KEPT + "C: RSET\n" + third + RESET + TAKEN)

    assert await both(session, tuple(alike[:2])) == ["550 no such user", "250 2.0.0 queued"]
    assert await both(session, tuple(alike[2:])) == ["250 2.0.0 queued"]
    assert trust.level is Level.WINDOW


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param(NOBODY + KEPT.replace("already", "not yet"), id="another bad sequence"),
        pytest.param(NOBODY + KEPT.replace("250 2.0.0 queued", "503 no RCPT"), id="not taken"),
        pytest.param(TAKEN + KEPT, id="nothing was refused"),
    ],
)
async def test_it_is_out_of_step_where_that_is_not_plain(
    script: ScriptedStream, windowed: Opened, mail_object: Make, trust: Trust, replies: str
) -> None:
    session = await windowed()
    alike = [mail_object(f"{name}@y.example", reverse_path="to-b@x.example") for name in "bc"]
    script.plays(FIRST + FIRST.replace("TO:<b@", "TO:<c@") + replies)

    await both(session, tuple(alike))

    assert trust.level is Level.GLUE
