"""asyncio's StreamReader, as a conversation needs it.

What arrived is taken without waiting, the wait for more is one future under a deadline, and what
arrived before a failure is given before the failure is told.

A server that refuses content half-way and closes is a reply, then a reset. asyncio's reader raises
the reset and keeps the reply; ours is read first, and is the truth about the message.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from typing import SupportsIndex

#: Octets that are taken at once. Twice as many may lie here unread: beyond, asyncio reads no more
#: from the server, which may be hostile.
READ_SIZE = 65536


class Inbox(asyncio.StreamReader):
    """One reader at a time. A wait costs one future: the timer behind it is moved when it rings."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=READ_SIZE, loop=loop)
        self._time = loop
        #: Octets that lie here.
        self.unread = 0
        #: All of them, where they came at once: asyncio's buffer is for what comes behind.
        self._only = b""
        #: Takes what comes, in place of who waits: see `read_on`.
        self._listener: Callable[[bytes], None] | None = None
        self._told: asyncio.Future[bool] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        #: The socket and its identity, while what comes on it is plaintext.
        self.socket: tuple[int, int] | None = None
        #: Whether no more will come.
        self.has_ended = False
        #: Why, where it was not in order.
        self.failure: Exception | None = None

    def take(self) -> bytes:
        """What lies here, up to `READ_SIZE` octets; b"" where nothing does."""
        if self._only:
            only, self._only, self.unread = self._only, b"", 0
            return only
        if not self.unread:
            return b""
        # Where something lies here read() returns without a pause, in its first step.
        try:
            self.read(READ_SIZE).send(None)
        except StopIteration as done:
            data: bytes = done.value
            self.unread -= len(data)
            return data
        raise AssertionError("read() waits for what is there")

    async def news(self, deadline: float) -> None:
        """Wait until something came, or the end, or somebody called `wake`.

        Raises `TimeoutError` at `deadline`, by the loop's time. It may end without a reason. A
        cancellation loses no byte.
        """
        if not await self.told(deadline):
            raise TimeoutError

    def told(self, deadline: float) -> asyncio.Future[bool]:
        """What `news` waits for, to be awaited at once: false at the deadline."""
        if self._told is not None and not self._told.done():
            raise RuntimeError("somebody waits for this connection already")
        self._wait_until(deadline)
        self._told = told = self._time.create_future()
        return told

    async def read_on(self, deadline: float, take: Callable[[bytes], float | None]) -> None:
        """Have `take` called with what comes, as it comes, until it gives None, or to the end.

        What else it gives is the deadline from then on. Nobody is woken meanwhile. Raises what
        `take` raises, and as `news` does.
        """
        failure: Exception | None = None
        until: float | None = deadline

        def listen(data: bytes) -> None:
            nonlocal failure, until
            # What `take` does may bring more, which is for itself to look at. By its own name it
            # would hold itself, and all of a message with it until garbage is looked for.
            listener, self._listener = self._listener, None
            try:
                until = take(data)
                while until is not None and self.unread:
                    until = take(self.take())
            except Exception as error:  # noqa: BLE001  # told to who waits
                failure, until = error, None
            if until is None:
                self.wake()
            else:
                self._wait_until(until)
                self._listener = listener

        self._listener = listen
        if self.unread:
            listen(self.take())
        try:
            while until is not None and not self.has_ended:
                await self.news(until)
        finally:
            self._listener = None
        if failure is not None:
            raise failure

    def wake(self) -> None:
        """End a wait: there is something to look at."""
        if self._told is not None and not self._told.done():
            self._told.set_result(True)

    # What asyncio calls.

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Bytes came."""
        octets = bytes(data)
        if self._listener is not None:
            # Nothing lies here then, or it would have been taken.
            self._listener(octets)
            return
        if not self.unread:
            self._only = octets
        else:
            self._settle()
            super().feed_data(octets)
        self.unread += len(octets)
        self.wake()

    def _settle(self) -> None:
        """Put what came into asyncio's buffer, behind which it reads on only as there is room."""
        if self._only:
            only, self._only = self._only, b""
            super().feed_data(only)

    def feed_eof(self) -> None:
        """No more will come."""
        super().feed_eof()
        self.has_ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.wake()

    def set_exception(self, exc: Exception) -> None:
        """Remember why it is over, and end behind what the system still holds for us."""
        self.failure = exc
        # A write that fails ends the transport, whatever lies there unread.
        self.look()
        self.feed_eof()

    def look(self) -> None:
        """Take in what the system still holds for us, where nobody else reads it any more."""
        if self.socket is not None and not self.has_ended:
            with contextlib.suppress(OSError):
                self._read_rest(*self.socket)

    def _read_rest(self, descriptor: int, identity: int) -> None:
        # Closed by now, the number might be another's.
        if os.fstat(descriptor).st_ino == identity:
            while data := os.read(descriptor, READ_SIZE):
                self.feed_data(data)

    def _wait_until(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is None or deadline < self._timer.when():
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._time.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._told is None or self._told.done():
            return
        if self._time.time() < self._deadline:
            # It was set for an earlier wait.
            self._set_timer()
        else:
            self._told.set_result(False)


class InboxProtocol(asyncio.StreamReaderProtocol, asyncio.BufferedProtocol):
    """asyncio's own, that says as well whether there is room to write.

    It has what comes put into a buffer of its own: otherwise asyncio makes one of 256 KiB for each
    reply, which costs more than all that is done with the reply (uvloop, which does not, passes
    `data_received`).
    """

    def __init__(self, inbox: Inbox, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(inbox, loop=loop)
        self._inbox = inbox
        self._buffer = memoryview(bytearray(READ_SIZE))
        #: Whether no more should be written for now.
        self.is_congested = False
        #: Called when little waits to be sent, in place of who waits for that.
        self.on_room: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._inbox.feed_data(data)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes is put."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many octets came."""
        self._inbox.feed_data(self._buffer[:nbytes])

    def pause_writing(self) -> None:
        """Much waits to be sent."""
        super().pause_writing()
        self.is_congested = True

    def resume_writing(self) -> None:
        """Little waits to be sent."""
        super().resume_writing()
        self.is_congested = False
        if self.on_room is None:
            self._inbox.wake()
        else:
            self.on_room()
