"""A gateway on loopback that answers as a test says, and remembers every request it read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

LOOPBACK = "127.0.0.1"
TAKEN = b'{"code": 2, "msg": "ok", "smsid": "%d"}'


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that was read to its end."""

    target: str
    headers: dict[str, str]
    fields: dict[str, str]
    body: bytes
    #: By `time.monotonic`.
    at: float

    @property
    def mobile(self) -> str:
        return self.fields.get("mobile", "")


def answer(body: bytes | str, status: int = 200, **headers: str) -> bytes:
    """An HTTP answer as bytes."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def code(number: int, words: str = "no") -> bytes:
    """ihuyi's answer with a code."""
    return answer(json.dumps({"code": number, "msg": words, "smsid": "0"}))


#: Given the arrival and the how-manieth of its number it is: bytes to write, then the connection
#: is kept; None: it is cut without an answer; "hang": nothing is said until the client leaves.
Answering = Callable[[Arrival, int], bytes | str | None]


@dataclass(slots=True)
class ScriptedGateway:
    answering: Answering
    arrivals: list[Arrival] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    #: Whether a connection ends behind its first answer.
    hangs_up: bool = False
    scheme: str = "http"
    _counts: Counter[str] = field(default_factory=Counter)

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://{LOOPBACK}:{self.port}/webservice/sms.php?method=Submit"

    @property
    def numbers(self) -> list[str]:
        return [arrival.mobile for arrival in self.arrivals]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(OSError, EOFError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            fields = {k: v[-1] for k, v in parse_qs(body.decode("utf-8", "replace")).items()}
            arrival = Arrival(first.split(" ")[1], headers, fields, body, time.monotonic())
            self.arrivals.append(arrival)
            self._counts[arrival.mobile] += 1
            said = self.answering(arrival, self._counts[arrival.mobile])
            if said == "hang":
                await reader.read()
                return
            if not isinstance(said, bytes):
                return
            writer.write(said)
            await writer.drain()
            if self.hangs_up:
                return


def takes(arrival: Arrival, nth: int) -> bytes:
    """Take everything."""
    del nth
    return answer(TAKEN % (hash(arrival.mobile) & 0xFFFF))


@contextlib.asynccontextmanager
async def scripted_gateway(
    answering: Answering = takes, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedGateway]:
    """A gateway on a free port; all its connections are cut at the end."""
    gateway = ScriptedGateway(answering, scheme="http" if tls is None else "https")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await gateway.serve(reader, writer)

    listener = await asyncio.start_server(serve, LOOPBACK, 0, ssl=tls)
    gateway.port = listener.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
        # Transports that were closed say so in the loop's next step.
        await asyncio.sleep(0)
