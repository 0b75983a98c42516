"""Small servers on loopback that do as they are told, also what no server should."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

Behaviour: TypeAlias = Callable[["Peer"], Awaitable[None]]

LOOPBACK = "127.0.0.1"


class Peer:
    """A server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        #: Lines that were heard.
        self.heard: list[bytes] = []

    async def says(self, *lines: str) -> None:
        """Send lines in one write."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hears(self) -> bytes:
        """The next line; b"" at the end."""
        line = await self.reader.readline()
        self.heard.append(line)
        return line

    async def greets(self, *extensions: str) -> None:
        """Greeting, and the answer to EHLO."""
        await self.says("220 real.example ESMTP")
        await self.answers_ehlo(*extensions)

    async def answers_ehlo(self, *extensions: str) -> None:
        """The answer to EHLO."""
        await self.hears()
        await self.says(*(f"250-{word}" for word in ("real.example", *extensions)), "250 HELP")

    async def takes_envelope(self) -> None:
        """MAIL, RCPT and DATA in lockstep, up to 354."""
        for reply in ("250 ok", "250 ok", "354 go on"):
            await self.hears()
            await self.says(reply)

    async def takes_content(self) -> bytes:
        """What comes up to the final dot."""
        return await self.reader.readuntil(b"\r\n.\r\n")

    async def starts_tls(self, context: ssl.SSLContext) -> None:
        """The server's side of the handshake."""
        await self.writer.start_tls(context)


@contextlib.asynccontextmanager
async def serving(behave: Behaviour, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port of the loopback, which is given. All is closed at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await behave(Peer(reader, writer))
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=context, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
