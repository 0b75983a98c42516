"""What comes on a connection, and the wait for it: the protocol behind `SmtpStream`'s transport.

What arrived before a failure is given before the failure is told. A server that refuses content
half-way and closes is a reply, then a reset: the reply is the truth about the message.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import cast

#: Octets that may lie here unread. Beyond, the server is not read from: it may be hostile.
MAX_HELD = 131072

_AT_ONCE = 65536


class Arrivals(asyncio.Protocol):
    """One reader at a time. A wait costs one future: the timer behind it is moved when it rings."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        #: Whether the server is not read from for now.
        self._is_held_back = False
        self._waiter: asyncio.Future[bool] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        #: The socket and its identity, while what comes on it is plaintext.
        self._socket: tuple[int, int] | None = None
        #: Whether no more will come.
        self.has_ended = False
        #: Why, where it was not in order.
        self.failure: Exception | None = None
        #: Whether no more should be written for now.
        self.is_congested = False
        #: Done when the connection is closed.
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies here."""
        return not self._held

    def take(self) -> bytes:
        """All that lies here."""
        if not self._held:
            return b""
        data = bytes(self._held)
        self._held.clear()
        if self._is_held_back and self._transport is not None:
            self._is_held_back = False
            self._transport.resume_reading()
        return data

    async def news(self, deadline: float) -> None:
        """Wait until something came, or the end, or there may be written again.

        Raises `TimeoutError` at `deadline`, by the loop's time. It may end without a reason.
        """
        self._deadline = deadline
        if self._timer is None or deadline < self._timer.when():
            self._set_timer()
        self._waiter = self._loop.create_future()
        try:
            if not await self._waiter:
                raise TimeoutError
        finally:
            self._waiter = None

    def begin_tls(self) -> None:
        """From here on nothing is plaintext."""
        self._socket = None

    def continue_on(self, transport: asyncio.Transport) -> None:
        """Another transport is in the place of the first one: TLS."""
        self._transport = transport

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        # uvloop's transports are no subclasses of it.
        self._transport = cast("asyncio.Transport", transport)
        found: socket.socket | None = transport.get_extra_info("socket")
        if found is not None:
            self._socket = (found.fileno(), os.fstat(found.fileno()).st_ino)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._held += data
        self._wake()
        if len(self._held) > MAX_HELD and not self._is_held_back and self._transport is not None:
            self._is_held_back = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The server says no more; we still may, but under TLS."""
        self.has_ended = True
        self._wake()
        return self._transport is not None and not self._transport.get_extra_info("sslcontext")

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self.failure = exc
        if exc is not None and self._socket is not None:
            # A write that fails ends the transport, whatever lies there unread.
            with contextlib.suppress(OSError):
                self._read_rest(*self._socket)
        self.has_ended = True
        self.is_congested = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Much waits to be sent."""
        self.is_congested = True

    def resume_writing(self) -> None:
        """Little waits to be sent."""
        self.is_congested = False
        self._wake()

    def _read_rest(self, descriptor: int, identity: int) -> None:
        # Closed by now, the number might be another's.
        if os.fstat(descriptor).st_ino == identity:
            while data := os.read(descriptor, _AT_ONCE):
                self._held += data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            # It was set for an earlier wait.
            self._set_timer()
        else:
            self._waiter.set_result(False)
