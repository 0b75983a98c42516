"""`sink`: a local server that keeps what it gets, until it is told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bulkmail.app.interrupts import SIGNALS
from bulkmail.sink import Sink, SinkSettings


async def sink(settings: SinkSettings, *, ready: Callable[[Sink], None]) -> None:
    """Listen until SIGINT or SIGTERM; `ready` is called once it does.

    Raises `ConfigurationError` where it cannot listen, or cannot write its folder.
    """
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, told_to_end.set)
    try:
        async with Sink(settings) as server:
            ready(server)
            await told_to_end.wait()
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
