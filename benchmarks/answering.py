"""A server that says yes to everything as quickly as it can, and remembers what it took."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n.\r\n"
_REPLIES = {
    b"EHLO": b"250-answering.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
_EHLO_CHUNKING = b"250-answering.example.com\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message the server took the responsibility for."""

    recipient: str
    message_id: str


@dataclass(slots=True)
class Answering:
    """What a server took, in order; a message is here before its 250 is written."""

    port: int = 0
    #: Whether it offers CHUNKING.
    is_chunking: bool = False
    taken: list[Taken] = field(default_factory=list)
    _commands_left: int = 0
    _strike: Callable[[], None] | None = None

    def after(self, commands: int, strike: Callable[[], None]) -> None:
        """Call `strike` once, when so many more commands were heard and before they are answered.

        The end of data counts as a command.
        """
        self._commands_left, self._strike = commands, strike

    def forgive(self) -> None:
        """Strike no more."""
        self._strike = None

    def heard(self) -> None:
        """A command was heard."""
        self._commands_left -= 1
        if self._commands_left <= 0 and self._strike is not None:
            strike, self._strike = self._strike, None
            strike()


class _Conversation(asyncio.Protocol):
    """One connection. Pipelined commands are answered in one write."""

    def __init__(self, server: Answering) -> None:
        self._server = server
        self._buffer = bytearray()
        self._recipients: list[str] = []
        self._in_content = False
        #: Octets of the BDAT under way; None where content ends with a dot.
        self._chunk: int | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # it listens for streams
        self._transport = transport
        transport.write(b"220 answering.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = bytearray()
        while (reply := self._content() if self._in_content else self._command()) is not None:
            replies += reply
        if self._transport is not None:
            self._transport.write(bytes(replies))
            if replies.endswith(_REPLIES[b"QUIT"]):
                self._transport.close()

    def _command(self) -> bytes | None:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        self._server.heard()
        verb = bytes(line[:4]).upper()
        if verb == b"RCPT":
            self._recipients.append(line[line.index(b"<") + 1 : line.index(b">")].decode())
        self._in_content = verb in (b"DATA", b"BDAT")
        if verb == b"BDAT":
            # What is sent here is small: one chunk a message, and the last.
            self._chunk = int(line.split()[1])
            return b""
        if verb == b"EHLO" and self._server.is_chunking:
            return _EHLO_CHUNKING
        return _REPLIES.get(verb, b"250 2.0.0 ok\r\n")

    def _content(self) -> bytes | None:
        if self._chunk is None:
            content, found, rest = self._buffer.partition(_END)
            if not found:
                return None
        else:
            if len(self._buffer) < self._chunk:
                return None
            content, rest = self._buffer[: self._chunk], self._buffer[self._chunk :]
        self._buffer = rest
        self._in_content, self._chunk = False, None
        message_id = _MESSAGE_ID.search(content)
        self._server.taken += [
            Taken(recipient, message_id[1].decode() if message_id else "")
            for recipient in self._recipients
        ]
        self._recipients = []
        self._server.heard()
        return b"250 2.0.0 taken\r\n"


@asynccontextmanager
async def answering(*, is_chunking: bool = False) -> AsyncIterator[Answering]:
    """A server on a free loopback port."""
    server = Answering(is_chunking=is_chunking)
    listener = await asyncio.get_running_loop().create_server(
        partial(_Conversation, server), "127.0.0.1", 0
    )
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
