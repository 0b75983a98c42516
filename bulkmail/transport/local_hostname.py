"""The name we give in EHLO (RFC 5321, 4.1.1.1): a host name that has a dot, or an address literal.

A bare or wrong name costs trust: many servers refuse ``localhost`` or a name without a dot.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket

#: Seconds for the resolver to name this machine. Where it takes longer, the literal does.
LOOKUP_TIMEOUT = 3.0

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})+")


async def local_hostname(local_address: str) -> str:
    """The machine's FQDN; where it has none, the address literal of `local_address`."""
    try:
        if _fqdn.cache_info().currsize:
            # At each connection a thread would be woken, to look into a drawer.
            name = _fqdn()
        else:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                name = await asyncio.to_thread(_fqdn)
    except TimeoutError:
        name = ""
    return name if is_public_name(name) else address_literal(local_address)


def is_public_name(name: str) -> bool:
    """Whether `name` may stand in EHLO: labels with a dot between, and not the loopback's."""
    is_loopback = name.startswith("localhost.") or name.endswith((".localhost", ".arpa"))
    return bool(_NAME.fullmatch(name)) and not is_loopback


def address_literal(address: str) -> str:
    """``[192.0.2.1]``, ``[IPv6:2001:db8::1]`` (RFC 5321, 4.1.3); of no address the loopback's."""
    try:
        # A scope (fe80::1%eth0) means nothing to the server.
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "[127.0.0.1]"
    return f"[IPv6:{parsed}]" if parsed.version == 6 else f"[{parsed}]"  # noqa: PLR2004


@functools.cache
def _fqdn() -> str:
    return socket.getfqdn()
