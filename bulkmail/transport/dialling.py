"""Dialling: from a host's name to a connection, by any of its addresses.

The loop's own way is not used: without "happy eyeballs" it waits for an address that swallows
packets until nothing of the deadline is left for the next one, and uvloop has no happy eyeballs.
Here each address has its share of the time that is left.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)

_MAX_PORT = 65535


async def dial(
    make_protocol: Callable[[], _Protocol], host: str, port: int, deadline: float
) -> tuple[asyncio.Transport, _Protocol]:
    """Connect to the first address of `host` that answers, by `deadline` in the loop's time.

    Raises `OSError` with the last address's reason, `TimeoutError` at the deadline, `ValueError`
    where host or port are none.
    """
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"{port} is no port")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(deadline):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError("the name has no address")
    for tried, (family, *_, address) in enumerate(found):
        share = (deadline - loop.time()) / (len(found) - tried)
        try:
            async with asyncio.timeout(share):
                return await loop.create_connection(
                    make_protocol, _numeric(address), port, family=family
                )
        except OSError as error:
            failure = error
    raise failure


def _numeric(address: tuple[object, ...]) -> str:
    """A socket address's IP address, with its scope where it is link-local."""
    host, scope = str(address[0]), address[3:4]
    return f"{host}%{scope[0]}" if scope and scope[0] and "%" not in host else host
