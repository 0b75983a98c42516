"""A DNS server on loopback with a zone of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from bulkmail.online.resolver import Resolver

#: Name and type to records; a name that is not here does not exist.
Zone = dict[tuple[str, str], list[str]]


class Server(asyncio.DatagramProtocol):
    """Answers from its zone; a record `SERVFAIL` is answered by that."""

    def __init__(self) -> None:
        self.zone: Zone = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip("."), question.rdtype.name
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = self.zone.get((name, kind))
        if found == ["SERVFAIL"]:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(other == name for other, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(response.to_wire(), addr)


#: Writes the zone, and gives who asks it.
Ask = Callable[[Zone], Resolver]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]

    def write(zone: Zone) -> Resolver:
        server.zone = zone
        return Resolver(["127.0.0.1"], port)

    yield write
    transport.close()
