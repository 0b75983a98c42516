"""The sink: a local SMTP server that takes every message and keeps it as an .eml file.

It runs in the event loop it is entered in (aiosmtpd's protocol, not its threaded controller), and
writes in one thread of its own, so that messages are numbered and kept in the order they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkmail.clock import Clock, SystemClock, moment
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.sink.certificate import make_identity
from bulkmail.sink.handler import Handler
from bulkmail.sink.kept import Kept, KeptFolder
from bulkmail.sink.listening import cannot_listen
from bulkmail.sink.protocol import SinkProtocol
from bulkmail.sink.settings import SinkSettings


def _unobserved(_: Kept) -> None:
    """Nobody watches."""


class Sink:
    """``async with Sink(settings) as sink``: listens from entry to exit.

    Entry raises `ConfigurationError` where it cannot listen or write; exit cuts the connections
    that are left, once what they handed over is kept. `on_kept` is called in the event loop with
    each message, before its client has the reply.
    """

    def __init__(
        self,
        settings: SinkSettings,
        *,
        clock: Clock | None = None,
        on_kept: Callable[[Kept], None] = _unobserved,
    ) -> None:
        self.settings = settings
        #: The one in use: with port 0 in the settings, the one that was free.
        self.port = settings.port
        #: The certificate that clients are to trust, as their `ca_file`; None without TLS.
        self.ca_path: Path | None = (
            None if settings.tls == "none" else settings.ca_path or settings.directory / "ca.pem"
        )
        self._clock = clock or SystemClock()
        self._on_kept = on_kept
        self._folder: KeptFolder | None = None
        self._connections: set[SinkProtocol] = set()
        self._resources = contextlib.AsyncExitStack()

    @property
    def host(self) -> str:
        """Where it listens."""
        return self.settings.host

    @property
    def received(self) -> int:
        """Messages kept so far, by this sink; it stays readable after the exit."""
        return 0 if self._folder is None else self._folder.count

    def __repr__(self) -> str:
        return f"<Sink {self.host}:{self.port} {self.settings.tls} | {self.received} received>"

    async def __aenter__(self) -> Self:
        async with self._resources as resources:
            self._folder = KeptFolder(self.settings.directory)
            resources.callback(self._folder.close)
            executor = resources.enter_context(ThreadPoolExecutor(1, "bulkmail-sink"))
            handler = Handler(
                self.settings,
                self._folder,
                clock=self._clock,
                executor=executor,
                on_kept=self._on_kept,
            )
            server = await self._listen(handler, self._tls())
            resources.push_async_callback(self._hang_up, server)
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    def _tls(self) -> ssl.SSLContext | None:
        if self.ca_path is None:
            return None
        identity = make_identity(self.settings.host, moment(self._clock.time()))
        # Renamed into place: a client that starts right now reads the old one or the new one.
        partial = self.ca_path.with_name(f".{self.ca_path.name}.part")
        try:
            self.ca_path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(identity.authority)
            partial.replace(self.ca_path)
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}. Name another file"
            fault = Fault(path=str(self.ca_path), key="--ca", message=message)
            raise ConfigurationError(fault) from error
        return identity.context

    async def _listen(self, handler: Handler, context: ssl.SSLContext | None) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        host, port = self.settings.host, self.settings.port

        def connection() -> SinkProtocol:
            return SinkProtocol(
                self.settings, handler, context=context, connections=self._connections
            )

        try:
            server = await loop.create_server(
                connection, host, port, ssl=context if self.settings.tls == "tls" else None
            )
        except (OSError, OverflowError) as error:
            raise cannot_listen(host, port, error) from error
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _hang_up(self, server: asyncio.Server) -> None:
        server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cut()
        for connection in connections:
            await connection.ended.wait()
        await server.wait_closed()
