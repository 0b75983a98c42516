"""A web server of scripted bytes: it answers as it is told, honestly or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

#: The answer to a request: pieces of bytes, one after the other; None: nothing more, and no end.
Answer = list[bytes | None]


class PageServer:
    """What was asked, and the way to it."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        #: Heads of the requests, as they came.
        self.asked: list[str] = []
        #: What came with them.
        self.bodies: list[bytes] = []
        self.port = 0
        self._serving: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close unless it is to stall."""
        self._serving[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self._answered(reader, writer):
                writer.close()
                await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether all of the answer is out; else it stalls."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        length = header(head, "content-length")
        self.bodies.append(await reader.readexactly(int(length)) if length else b"")
        for piece in self._answer(head):
            if piece is None:
                return False
            writer.write(piece)
            await writer.drain()
        return True

    async def end(self) -> None:
        """Let go of everybody, stalled or not: nothing is left when the test is over."""
        for serving, writer in self._serving.items():
            writer.transport.abort()
            if serving is not None:
                await asyncio.wait([serving])
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def header(head: str, name: str) -> str:
    """A field of a request's head; "" where it is not there."""
    for line in head.splitlines():
        field, _, value = line.partition(":")
        if field.lower() == name.lower():
            return value.strip()
    return ""


def page(body: bytes, *fields: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An answer; `length` is what it says of its size, where that is a lie."""
    said = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {said}", *fields, "Connection: close", "", ""]
    return "\r\n".join(head).encode() + body


@contextlib.asynccontextmanager
async def page_server(answer: Callable[[str], Answer]) -> AsyncIterator[PageServer]:
    """A server that answers by `answer`, which is given the request's head."""
    server = PageServer(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        # Whoever connected at the last moment is accepted in a task of the loop's own.
        for _ in range(20):
            await asyncio.sleep(0)
        await server.end()
        await listening.wait_closed()
