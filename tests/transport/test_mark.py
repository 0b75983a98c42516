"""The mark, without which nothing reaches its end: when it is made, and what hinders it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import Marks, ScriptedStream, until

from bulkmail.errors import ConnectionLost
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.transport.blocks import BLOCK_SIZE
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]

#: More than two blocks.
LONG = b"Subject: hi\r\n\r\n" + (b"x" * 70 + b"\r\n") * 8_000


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
