"""`sink`: a local server that keeps what it gets, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from bulkmail.app.interrupts import SIGNALS
from bulkmail.sink import KeptText, Sink, SinkSettings, TextSink, TextSinkSettings


async def sink(settings: SinkSettings, *, ready: Callable[[Sink], None]) -> None:
    """Listen until SIGINT or SIGTERM; `ready` is called once it does.

    Raises `ConfigurationError` where it cannot listen, or cannot write its folder.
    """
    async with _until_told() as told_to_end, Sink(settings) as server:
        ready(server)
        await told_to_end.wait()


async def text_sink(
    settings: TextSinkSettings,
    *,
    ready: Callable[[TextSink], None],
    on_kept: Callable[[KeptText], None],
) -> None:
    """The same for text messages; `on_kept` hears of each."""
    async with _until_told() as told_to_end, TextSink(settings, on_kept=on_kept) as server:
        ready(server)
        await told_to_end.wait()


@contextlib.asynccontextmanager
async def _until_told() -> AsyncIterator[asyncio.Event]:
    """An event that a signal sets."""
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, told_to_end.set)
    try:
        yield told_to_end
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
