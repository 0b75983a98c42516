"""What comes on a connection and the wait for it, with a clock that the test turns."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from bulkmail.transport.inbox import READ_SIZE, Inbox


class _Timer:
    def __init__(self, at: float, ring: Callable[[], None]) -> None:
        self._at = at
        self.ring = ring
        self.is_cancelled = False

    def when(self) -> float:
        return self._at

    def cancel(self) -> None:
        self.is_cancelled = True


class _Loop:
    """What `Inbox` needs of a loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[_Timer] = []

    def get_debug(self) -> bool:
        return False

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def call_at(self, at: float, ring: Callable[[], None]) -> _Timer:
        self.timers.append(_Timer(at, ring))
        return self.timers[-1]

    def ring(self) -> None:
        """Let it be the time of the timer that is set."""
        (timer,) = (timer for timer in self.timers if not timer.is_cancelled)
        self.timers.remove(timer)
        self.now = timer.when()
        timer.ring()


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.is_read_from = True

    def pause_reading(self) -> None:
        self.is_read_from = False

    def resume_reading(self) -> None:
        self.is_read_from = True


@pytest.fixture
def loop() -> _Loop:
    return _Loop()


@pytest.fixture
async def inbox(loop: _Loop) -> Inbox:
    return Inbox(cast("asyncio.AbstractEventLoop", loop))


async def _begun(waiting: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0)
    return task


async def test_a_wait_ends_with_what_comes(inbox: Inbox) -> None:
    waiting = await _begun(inbox.news(10.0))
    inbox.feed_data(b"250 ")
    inbox.feed_data(b"ok\r\n")

    await waiting

    assert inbox.take() == b"250 ok\r\n"
    assert not inbox.unread


async def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one(
    inbox: Inbox, loop: _Loop
) -> None:
    first = await _begun(inbox.news(10.0))
    inbox.feed_data(b"250 ok\r\n")
    await first
    second = await _begun(inbox.news(15.0))

    loop.ring()
    assert (loop.now, second.done()) == (10.0, False)
    loop.ring()

    assert loop.now == 15.0
    with pytest.raises(TimeoutError):
        await second
    assert loop.timers == []


async def test_a_wait_that_is_shorter_than_the_one_before_ends_in_its_own_time(
    inbox: Inbox, loop: _Loop
) -> None:
    first = await _begun(inbox.news(300.0))
    inbox.feed_data(b"250 ok\r\n")
    await first
    second = await _begun(inbox.news(5.0))

    loop.ring()

    assert loop.now == 5.0
    with pytest.raises(TimeoutError):
        await second


async def test_two_at_once_do_not_wait_for_one_connection(inbox: Inbox) -> None:
    first = await _begun(inbox.news(10.0))

    with pytest.raises(RuntimeError, match="already"):
        await inbox.news(10.0)

    inbox.feed_data(b"250 ok\r\n")
    await first


async def test_a_cancelled_wait_loses_no_byte(inbox: Inbox) -> None:
    waiting = await _begun(inbox.news(10.0))
    inbox.feed_data(b"250 ok\r\n")
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert inbox.take() == b"250 ok\r\n"


async def test_a_server_that_floods_us_is_not_read_from_until_it_was_heard(
    inbox: Inbox,
) -> None:
    transport = _Transport()
    inbox.set_transport(transport)
    inbox.feed_data(b"x" * 2 * READ_SIZE)
    seen = [transport.is_read_from]
    inbox.feed_data(b"x")
    seen.append(transport.is_read_from)
    held = inbox.take() + inbox.take()
    seen.append(transport.is_read_from)

    assert seen == [True, False, True]
    assert (len(held), bool(inbox.unread)) == (2 * READ_SIZE, True)


async def test_no_timer_outlives_the_connection(inbox: Inbox, loop: _Loop) -> None:
    waiting = await _begun(inbox.news(10.0))
    inbox.feed_eof()
    await waiting

    assert inbox.has_ended
    assert [timer.is_cancelled for timer in loop.timers] == [True]


async def test_what_the_system_still_holds_is_taken_in_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        inbox = Inbox(asyncio.get_running_loop())
        inbox.socket = (ours.fileno(), os.fstat(ours.fileno()).st_ino)
        theirs.sendall(b"552 too big\r\n")

        inbox.look()
        inbox.set_exception(BrokenPipeError())

        assert inbox.take() == b"552 too big\r\n"
        assert inbox.has_ended
        theirs.sendall(b"later")
        inbox.look()
        assert inbox.take() == b""


async def test_what_comes_is_taken_as_it_comes_and_nobody_is_woken_before_the_end(
    inbox: Inbox,
) -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> float | None:
        taken.append(data)
        return None if len(taken) == 3 else 10.0

    inbox.feed_data(b"250 first\r\n")
    reading = await _begun(inbox.read_on(10.0, take))
    inbox.feed_data(b"250 second\r\n")
    assert taken == [b"250 first\r\n", b"250 second\r\n"]
    inbox.feed_data(b"250 third\r\n")
    inbox.feed_data(b"250 behind\r\n")
    await reading

    assert taken[2:] == [b"250 third\r\n"]
    assert inbox.take() == b"250 behind\r\n"


async def test_each_that_is_taken_sets_the_deadline_of_the_next(inbox: Inbox, loop: _Loop) -> None:
    reading = await _begun(inbox.read_on(10.0, lambda _: 5.0))
    inbox.feed_data(b"250 ok\r\n")

    loop.ring()

    assert loop.now == 5.0
    with pytest.raises(TimeoutError):
        await reading


async def test_a_deadline_that_was_moved_on_does_not_ring(inbox: Inbox, loop: _Loop) -> None:
    reading = await _begun(inbox.read_on(10.0, lambda _: 15.0))
    inbox.feed_data(b"250 ok\r\n")

    loop.ring()
    assert (loop.now, reading.done()) == (10.0, False)
    loop.ring()

    with pytest.raises(TimeoutError):
        await reading


async def test_what_taking_raises_is_raised_to_who_waits_and_the_rest_is_left(
    inbox: Inbox,
) -> None:
    def take(data: bytes) -> float | None:
        raise ValueError(data)

    reading = await _begun(inbox.read_on(10.0, take))
    inbox.feed_data(b"250 ok\r\n")
    inbox.feed_data(b"250 behind\r\n")

    with pytest.raises(ValueError, match="250 ok"):
        await reading
    assert inbox.take() == b"250 behind\r\n"


async def test_nothing_is_taken_for_who_was_cut_off(inbox: Inbox) -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> float | None:
        taken.append(data)
        return 10.0

    reading = await _begun(inbox.read_on(10.0, take))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    inbox.feed_data(b"250 ok\r\n")

    assert not taken


async def test_who_took_what_came_is_let_go_with_all_they_hold(inbox: Inbox) -> None:
    class Message:
        def take(self, data: bytes) -> float | None:
            return 10.0 if data.startswith(b"354") else None

    message = Message()
    held = weakref.ref(message)
    gc.disable()
    try:
        reading = await _begun(inbox.read_on(10.0, message.take))
        inbox.feed_data(b"354 go on\r\n")
        inbox.feed_data(b"250 ok\r\n")
        await reading
        del reading, message

        # As it is, and not because garbage was looked for.
        assert held() is None
    finally:
        gc.enable()


async def test_the_end_ends_what_is_taken_as_it_comes(inbox: Inbox) -> None:
    reading = await _begun(inbox.read_on(10.0, lambda _: 10.0))
    inbox.feed_eof()

    await reading

    assert inbox.has_ended


async def test_what_comes_at_once_is_given_as_it_came_and_what_comes_behind_in_order() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    inbox.feed_data(b"250 one\r\n")

    assert inbox.unread == 9
    assert inbox.take() == b"250 one\r\n"
    assert inbox.take() == b""
    for part in (b"250 two\r\n", b"250 ", b"three\r\n"):
        inbox.feed_data(part)
    assert inbox.unread == 20
    assert inbox.take() == b"250 two\r\n250 three\r\n"
    assert inbox.unread == 0
    inbox.feed_data(b"last")
    inbox.feed_eof()
    assert inbox.take() == b"last"
    assert inbox.has_ended
