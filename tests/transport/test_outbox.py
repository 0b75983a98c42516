"""What connections have to send leaves together, and what is held counts as unsent."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from support.program import PATIENCE
from support.real_server import LOOPBACK, Peer, serving

from bulkmail.smtp.stage import Stage
from bulkmail.transport.outbox import Outbox, outbox_of
from bulkmail.transport.stream import SmtpStream


def later() -> float:
    return asyncio.get_running_loop().time() + 10


async def listens(peer: Peer) -> None:
    """Say back what comes, line by line."""
    while line := await peer.hears():
        await peer.says(line.decode().strip())


async def connected(stack: AsyncExitStack, count: int) -> list[SmtpStream]:
    port = await stack.enter_async_context(serving(listens))
    streams = [await SmtpStream.connect(LOOPBACK, port, later()) for _ in range(count)]
    for stream in streams:
        stack.callback(stream.abort)
    return streams


async def test_all_that_wait_are_sent_in_the_next_round_of_the_loop() -> None:
    outbox, sent = Outbox(), list[str]()

    outbox.put(lambda: sent.append("one"))
    outbox.put(lambda: sent.append("two"))
    assert not sent
    await asyncio.sleep(0)

    assert sent == ["one", "two"]


async def test_what_is_put_while_others_are_sent_is_sent_in_the_round_behind() -> None:
    outbox, sent = Outbox(), list[str]()

    outbox.put(lambda: outbox.put(lambda: sent.append("late")))
    await asyncio.sleep(0)
    assert not sent
    await asyncio.sleep(0)

    assert sent == ["late"]


async def test_who_fails_keeps_nobody_from_sending() -> None:
    outbox, sent, told = Outbox(), list[str](), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["exception"]))

    def fail() -> None:
        raise failure

    failure = RuntimeError("the handle is closed")
    outbox.put(lambda: sent.append("one"))
    outbox.put(fail)
    outbox.put(lambda: sent.append("two"))
    for _ in range(2):
        await asyncio.sleep(0)

    assert sent == ["one", "two"]
    assert told == [failure]


async def test_a_loop_has_one_outbox() -> None:
    loop = asyncio.get_running_loop()

    assert outbox_of(loop) is outbox_of(loop)


async def test_what_is_held_is_unsent_until_the_next_round() -> None:
    async with AsyncExitStack() as stack:
        first, second = await connected(stack, 2)

        first.write([b"NOOP\r\n"])
        second.write([b"RS", b"ET\r\n"])
        second.write([b"NOOP\r\n"])
        held = (first.unsent, second.unsent)
        answers = [await stream.read(Stage.NOOP, later()) for stream in (first, second)]
        if answers[1] == b"RSET\r\n":
            answers[1] += await second.read(Stage.NOOP, later())

    assert held == (6, 12)
    assert answers == [b"NOOP\r\n", b"RSET\r\nNOOP\r\n"]
    assert (first.unsent, second.unsent) == (0, 0)


async def test_who_is_alone_waits_for_nobody() -> None:
    async with AsyncExitStack() as stack:
        first, second = await connected(stack, 2)
        second.abort()
        second.abort()

        first.write([b"NOOP\r\n"])

        assert first.unsent == 0


async def test_much_waits_for_nobody() -> None:
    async with AsyncExitStack() as stack:
        first, _ = await connected(stack, 2)

        first.write([b"x" * 100_000])

        # The system takes some of it at once.
        assert first.unsent < 100_000


@pytest.mark.parametrize("is_cut", [False, True], ids=["closed", "cut"])
async def test_what_is_held_leaves_before_a_connection_is_closed_and_not_where_it_is_cut(
    *, is_cut: bool
) -> None:
    heard: list[bytes] = []

    async def behave(peer: Peer) -> None:
        while line := await peer.hears():
            heard.append(line)
        ended.set()

    ended = asyncio.Event()
    async with serving(behave) as port:
        first, second = [await SmtpStream.connect(LOOPBACK, port, later()) for _ in range(2)]
        first.write([b"QUIT\r\n"])
        if is_cut:
            first.abort()
        await first.close()
        unsent = first.unsent
        second.abort()
        if not is_cut:
            await asyncio.wait_for(ended.wait(), PATIENCE)

    assert heard == ([] if is_cut else [b"QUIT\r\n"])
    assert unsent == (6 if is_cut else 0)
