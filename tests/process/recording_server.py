"""A server that takes everything, remembers what it took, and can call out in the middle of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)

REPLIES = {
    b"EHLO": b"250-recording.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message the server took responsibility for."""

    recipient: str
    message_id: str
    #: Number of the connection it came by.
    connection: int


@dataclass(slots=True)
class RecordingServer:
    """Everything that arrived, in order; a message is here before its 250 is written."""

    arrivals: list[Arrival] = field(default_factory=list)
    port: int = 0
    #: Whether anybody is greeted.
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: int = 0
    _commands_left: int = 0
    _strike: Callable[[], None] | None = None

    def after(self, commands: int, strike: Callable[[], None]) -> None:
        """Call `strike` once, before the reply to the so-manieth command from now is written.

        The end of data counts as a command: what is struck there has arrived and is unanswered.
        """
        self._commands_left, self._strike = commands, strike

    def _tick(self) -> None:
        self._commands_left -= 1
        if self._commands_left <= 0 and self._strike is not None:
            strike, self._strike = self._strike, None
            strike()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, greeting to its end, whoever ends it."""
        self._connections += 1
        try:
            await self._converse(reader, writer, self._connections)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client was killed: what the tests here are about
        finally:
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        recipients: list[str] = []
        await self.is_open.wait()
        writer.write(b"220 recording.example.com ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper().rstrip()
            self._tick()
            writer.write(REPLIES.get(verb, b"500 5.5.1 Unknown command\r\n"))
            await writer.drain()
            if verb == b"RCPT":
                recipients.append(line[line.index(b"<") + 1 : line.index(b">")].decode())
            elif verb == b"DATA":
                self._keep(await reader.readuntil(b"\r\n.\r\n"), recipients, connection)
                recipients = []
                self._tick()
                writer.write(b"250 2.0.0 Taken\r\n")
            elif verb == b"QUIT":
                return

    def _keep(self, content: bytes, recipients: list[str], connection: int) -> None:
        found = MESSAGE_ID.search(content)
        message_id = found[1].decode() if found else ""
        self.arrivals += [Arrival(to, message_id, connection) for to in recipients]


@asynccontextmanager
async def recording_server(*, is_open: bool = True) -> AsyncIterator[RecordingServer]:
    """A server on a free loopback port."""
    server = RecordingServer()
    if is_open:
        server.is_open.set()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**24)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
