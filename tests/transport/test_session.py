"""A session from one message to the next, and to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import WHERE, Marks, OpenSession, ScriptedStream, until

from bulkmail.errors import (
    ConnectionLost,
    MessageRefusedLocally,
    ProtocolViolation,
    SessionError,
    StageTimeout,
)
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


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
