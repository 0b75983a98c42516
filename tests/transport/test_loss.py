"""What is lost, refused or garbled on the way: who is in doubt, and who surely is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.scripted_stream import STEPS, Marks, ScriptedStream, until

from bulkmail.errors import (
    ConnectionLost,
    ProtocolViolation,
    SessionError,
    StageTimeout,
)
from bulkmail.message.mail_object import MailObject
from bulkmail.transport.session import Session

Opened = Callable[[], Awaitable[Session]]
Make = Callable[..., MailObject]


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
@pytest.mark.parametrize("trouble", ["(close)", "(reset)", "(silent)"])
async def test_a_cut_names_its_stage_and_only_the_last_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, *, stage: str, trouble: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays(f"S: {trouble}")

    with pytest.raises(StageTimeout if trouble == "(silent)" else ConnectionLost) as caught:
        await session.send(mail_object(), Marks(script))

    assert isinstance(caught.value, SessionError)
    assert (caught.value.stage, caught.value.host) == (stage, "mx.example:587")
    assert script.is_aborted
    assert not session.is_reusable


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
async def test_a_421_is_a_refusal_and_the_session_s_end(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, stage: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays("S: 421 4.3.2 shutting down")

    result = await session.send(mail_object(), mark)

    assert result.decisive is not None
    assert (result.decisive[0].value, result.decisive[1].code) == (stage, 421)
    assert not session.is_reusable
    with pytest.raises(ConnectionLost) as caught:
        await session.send(mail_object(), mark)
    assert caught.value.code == 421


@pytest.mark.parametrize("stage", [name for name, _ in STEPS])
async def test_a_cancelled_send_breaks_the_session(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, stage: str
) -> None:
    session = await lockstep()
    script.plays(until(stage)).plays("S: (hang)")
    sending = asyncio.create_task(session.send(mail_object(), mark))
    await script.hung(sending)

    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    assert script.is_aborted
    assert not session.is_reusable


@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", "552 5.3.4 too big"])
async def test_a_refusal_that_comes_during_the_mark_is_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks, reply: str
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").says_at_once(f"{reply}\r\n".encode())

    result = await session.send(mail_object(), mark)

    assert str(result.end_of_data) == reply
    assert script.writes[-1] == b"DATA\r\n"
    assert not session.is_reusable


async def test_a_connection_that_ends_during_the_mark_is_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on")
    mark.is_left_alone = True

    with pytest.raises(ConnectionLost) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "data"
    assert script.writes[-1] == b"DATA\r\n"


async def test_an_acceptance_that_nobody_can_have_given_is_a_violation_and_no_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("data")).plays("S: 354 go on").says_at_once(b"250 queued\r\n")

    with pytest.raises(ProtocolViolation) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "data"
    assert script.writes[-1] == b"DATA\r\n"


async def test_an_acceptance_before_the_final_dot_has_left_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 250 queued")
    script.unsent = 1

    with pytest.raises(ProtocolViolation, match="before its end") as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "end of data"


async def test_a_refusal_before_the_final_dot_has_left_ends_the_session(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    # What is left of the content would be commands to the server.
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 552 too big")
    script.unsent = 1

    result = await session.send(mail_object(), mark)

    assert str(result.end_of_data) == "552 too big"
    assert script.is_aborted
    assert not session.is_reusable


async def test_garbage_in_reply_to_the_final_dot_is_in_doubt(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: what?")

    with pytest.raises(ProtocolViolation) as caught:
        await session.send(mail_object(), mark)

    assert caught.value.stage == "end of data"
    assert caught.value.host == "mx.example:587"


async def test_an_acceptance_counts_whatever_garbage_comes_behind_it(
    script: ScriptedStream, lockstep: Opened, mail_object: Make, mark: Marks
) -> None:
    session = await lockstep()
    script.plays(until("end of data")).plays("S: 250 queued\r\nwhat?")

    result = await session.send(mail_object(), mark)

    assert result.is_accepted
    assert not session.is_reusable
