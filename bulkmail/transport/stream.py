"""The connection: the one place where asyncio's streams are touched.

It is also the border: `OSError`, `ssl.SSLError` and `TimeoutError` end here and become errors of
`bulkmail.errors` that carry host and stage. Writing never waits: bytes are handed to the
connection, which sends them while somebody reads or waits; so a long write and its replies cannot
block one another (RFC 2920, 3.1), and one deadline bounds both.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from asyncio import StreamWriter
from collections.abc import Callable, Sequence

from bulkmail.errors import (
    ConnectFailed,
    ConnectionLost,
    SessionError,
    StageTimeout,
    TlsFailed,
)
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.stage import Stage
from bulkmail.transport.byte_stream import Bytes
from bulkmail.transport.dialling import dial
from bulkmail.transport.file_sending import IS_ABLE, FileSending
from bulkmail.transport.inbox import Inbox, InboxProtocol
from bulkmail.transport.outbox import outbox_of
from bulkmail.transport.trouble import is_passing, reason_of, tls_reason_of, unconnected

#: Bytes that may wait in this process for the network before a writer of content has to wait.
HIGH_WATER = 524_288
#: Octets from which on what is written does not wait for what other connections have to send.
_MUCH = 16_384
#: Octets up to which pieces are joined, rather than each looked at on its way to the system.
_LITTLE = 65_536
#: Seconds to take leave of a connection in order; then it is cut.
CLOSE_TIMEOUT = 1.0


class SmtpStream:
    """A TCP connection, plain or under TLS."""

    def __init__(
        self, host: str, port: int, protocol: InboxProtocol, inbox: Inbox, writer: StreamWriter
    ) -> None:
        self._host = host
        self._where = f"{host}:{port}"
        self._protocol = protocol
        self._inbox = inbox
        self._writer = writer
        #: The writer's, which is another one under TLS.
        self._transport = writer.transport
        self._outbox = outbox_of(asyncio.get_running_loop())
        self._outbox.connections += 1
        #: What was written and waits for the outbox.
        self._held: list[Bytes] = []
        self._held_size = 0
        #: The file that is on its way: all that is written meanwhile is held.
        self._sending: FileSending | None = None
        self._is_open = True

    @classmethod
    async def connect(cls, host: str, port: int, deadline: float) -> SmtpStream:
        """Connect. Raises `ConnectFailed` or, at the deadline, `StageTimeout`."""
        where = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        inbox = Inbox(loop)
        protocol = InboxProtocol(inbox, loop)
        try:
            transport, _ = await dial(lambda: protocol, host, port, deadline)
        except TimeoutError as error:
            raise StageTimeout(
                f"{where} did not take a connection in time", host=where, stage=Stage.CONNECT
            ) from error
        except (OSError, ValueError) as error:
            raise ConnectFailed(
                unconnected(host, port, error), host=where, stage=Stage.CONNECT
            ) from error
        transport.set_write_buffer_limits(high=HIGH_WATER)
        if (found := transport.get_extra_info("socket")) is not None:
            inbox.socket = (found.fileno(), os.fstat(found.fileno()).st_ino)
        writer = StreamWriter(transport, protocol, inbox, loop)
        return cls(host, port, protocol, inbox, writer)

    @property
    def is_congested(self) -> bool:
        """Whether more content should wait."""
        return self._protocol.is_congested or self._sending is not None

    @property
    def unsent(self) -> int:
        """Octets that were written and have not left this process."""
        left = 0 if self._sending is None else self._sending.left
        return self._held_size + left + self._transport.get_write_buffer_size()

    @property
    def has_ended(self) -> bool:
        """Whether the connection is over, and all that came was read."""
        inbox = self._inbox
        return (inbox.has_ended and not inbox.unread) or self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come that was not read, the peer's end included."""
        inbox = self._inbox
        return not (inbox.unread or inbox.has_ended or self._transport.is_closing())

    @property
    def local_address(self) -> str:
        """The socket's own IP address."""
        return _address(self._writer.get_extra_info("sockname"))

    @property
    def peer_address(self) -> str:
        """The server's IP address."""
        return _address(self._writer.get_extra_info("peername"))

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """TLS's facts; None in plaintext."""
        found = self._writer.get_extra_info("ssl_object")
        return found if isinstance(found, ssl.SSLObject) else None

    def write(self, chunks: Sequence[Bytes]) -> int:
        """Hand bytes over; what is written to a lost connection is dropped."""
        held = self._held
        is_first = not held
        held += chunks
        size = sum(map(len, chunks))
        self._held_size = held_size = self._held_size + size
        if held_size > _MUCH or self._outbox.connections == 1:
            self._send()
        elif is_first:
            self._outbox.put(self._send)
        return size

    @property
    def sends_files(self) -> bool:
        """Whether there is a `send_file`."""
        return IS_ABLE and self._inbox.socket is not None

    def send_file(self, file: SharedFile) -> None:
        """Hand a file over."""
        if self._inbox.socket is None or self._sending is not None:
            raise RuntimeError("one file at a time, and in plaintext")
        if self._writer.is_closing():
            self.write([file.content])
            return
        head, self._held, self._held_size = b"".join(self._held), [], 0
        descriptor, _ = self._inbox.socket
        self._sending = FileSending(
            file, self._transport, descriptor, self._protocol, self._file_ended
        )
        self._sending.begin(head)

    def peek(self) -> bytes:
        """Take what has arrived and was not read."""
        inbox = self._inbox
        if self._transport.is_closing():
            # A write has failed, perhaps behind a refusal: the transport reads no more.
            inbox.look()
        return inbox.take() if inbox.unread else b""

    async def read(self, stage: Stage, deadline: float) -> bytes:
        """Wait for bytes."""
        inbox = self._inbox
        while not (inbox.unread or inbox.has_ended):
            if not await inbox.told(deadline):
                raise self._silent(stage)
        return self._given(stage)

    async def read_on(
        self, stage: Stage, deadline: float, take: Callable[[bytes], tuple[Stage, float] | None]
    ) -> None:
        """Have `take` called with bytes as they come."""
        awaited: tuple[Stage, float] | None = (stage, deadline)

        def came(data: bytes) -> float | None:
            nonlocal awaited
            awaited = take(data)
            return None if awaited is None else awaited[1]

        inbox = self._inbox
        try:
            await inbox.read_on(deadline, came)
        except TimeoutError as error:
            raise self._silent(stage if awaited is None else awaited[0]) from error
        while awaited is not None:
            # It has ended.
            awaited = take(self._given(awaited[0]))

    async def drain_or_read(self, stage: Stage, deadline: float) -> bytes | None:
        """Wait until there is room, or bytes came."""
        inbox = self._inbox
        try:
            while not (inbox.unread or inbox.has_ended):
                if self._sending is None and not self._protocol.is_congested:
                    return None
                await inbox.news(deadline)
        except TimeoutError as error:
            raise self._silent(stage) from error
        return self._given(stage)

    async def start_tls(self, context: ssl.SSLContext, deadline: float) -> None:
        """Shake hands, for the host that was connected to."""
        self._send()
        self._inbox.socket = None
        try:
            if self._writer.is_closing():
                raise ConnectionAbortedError(errno.ECONNABORTED, "it is closed")
            async with asyncio.timeout_at(deadline):
                await self._writer.start_tls(context, server_hostname=self._host)
        except TimeoutError as error:
            raise self._silent(Stage.TLS) from error
        except OSError as error:
            if isinstance(error, ssl.SSLError) and not is_passing(error):
                raise TlsFailed(
                    f"{self._where}: {tls_reason_of(error)}", host=self._where, stage=Stage.TLS
                ) from error
            # A connection that was lost says nothing of the server's TLS: the next may do.
            raise ConnectionLost(
                f"{self._where} ended the TLS handshake: {reason_of(error)}",
                host=self._where,
                stage=Stage.TLS,
            ) from error
        self._transport = self._writer.transport
        self._transport.set_write_buffer_limits(high=HIGH_WATER)

    async def close(self) -> None:
        """Close in order, within a second."""
        self._send()
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._writer.wait_closed()
        except OSError:
            # Lost already, or too slow (TimeoutError): there is nobody left to tell.
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        if self._is_open:
            self._is_open = False
            self._outbox.connections -= 1
        if self._sending is not None:
            self._sending.stop()
        self._transport.abort()

    def _send(self) -> None:
        """Give what is held to the transport, which sends as much as the system takes at once."""
        transport, chunks = self._transport, self._held
        if not chunks or self._sending is not None or transport.is_closing():
            # What is held when a connection is lost stays unsent.
            return
        size, self._held, self._held_size = self._held_size, [], 0
        if len(chunks) == 1:
            # Of a large attachment most writes are one piece: joined, it would be copied.
            transport.write(chunks[0])
        elif size <= _LITTLE:
            transport.write(b"".join(chunks))
        else:
            transport.writelines(chunks)

    def _file_ended(self, failure: OSError | None) -> None:
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        if failure is None:
            self._sending = None
            self._send()
            self._inbox.wake()
        else:
            # Nothing can be sent any more. What the server said before is read; the file stays
            # unsent, and so does all behind it.
            self._inbox.set_exception(failure)
            self._transport.abort()

    def _given(self, stage: Stage) -> bytes:
        inbox = self._inbox
        if (data := inbox.take()) or inbox.failure is None:
            return data
        raise self._lost(stage, inbox.failure) from inbox.failure

    def _silent(self, stage: Stage) -> SessionError:
        return StageTimeout(
            f"{self._where} gave no answer in time ({stage.value})", host=self._where, stage=stage
        )

    def _lost(self, stage: Stage, failure: Exception) -> SessionError:
        return ConnectionLost(
            f"the connection to {self._where} was lost ({stage.value}): {reason_of(failure)}",
            host=self._where,
            stage=stage,
        )


def _address(name: object) -> str:
    """The IP address of a socket's name; "" for what is no internet socket's."""
    return str(name[0]) if isinstance(name, tuple) and name else ""
