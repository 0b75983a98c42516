"""A client that says exactly what it is told, byte for byte."""

import asyncio
import ssl
from base64 import b64decode, b64encode
from types import TracebackType
from typing import Self

from bulkmail.secret import Secret
from bulkmail.sink import Sink
from bulkmail.smtp.sasl import begin

#: Seconds within which a test's dialogue is over, or it hangs.
PATIENCE = 300


class Wire:
    """One connection to a sink on loopback."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._sink.ca_path)

    async def __aenter__(self) -> Self:
        implicit = self._sink.settings.tls == "tls"
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self._sink.port, ssl=self.context if implicit else None
        )
        assert (await self.reply()).startswith("220 ")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Cut and not closed: a close waits for the other side's.
        self.writer.transport.abort()

    async def reply(self) -> str:
        """One reply, lines joined; "" at the end of the connection."""
        lines = []
        async with asyncio.timeout(PATIENCE):
            while (line := await self.reader.readline())[3:4] == b"-":
                lines.append(line.decode().rstrip("\r\n"))
        return "\n".join([*lines, line.decode().rstrip("\r\n")])

    async def ask(self, *commands: str | bytes) -> str:
        """Send commands in one write, and return the first reply."""
        encoded = [c if isinstance(c, bytes) else c.encode() for c in commands]
        self.writer.write(b"".join(line + b"\r\n" for line in encoded))
        return await self.reply()

    async def starttls(self) -> None:
        assert (await self.ask("STARTTLS")).startswith("220 ")
        await self.handshake()

    async def handshake(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.writer.start_tls(self.context, server_hostname="127.0.0.1")

    async def log_in(self, mechanism: str, username: str, password: str) -> str:
        """Our own client's mechanism, to the last reply."""
        dialogue = begin(mechanism, username, Secret(password), nonce="rOprNGfwEbeRWgbNEkqO")
        first = next(dialogue)
        reply = await self.ask(f"AUTH {mechanism}" + (f" {_base64(first)}" if first else ""))
        while reply.startswith("334 "):
            reply = await self.ask(_base64(dialogue.send(b64decode(reply[4:]))))
        return reply


def _base64(raw: bytes | None) -> str:
    return b64encode(raw or b"").decode()
