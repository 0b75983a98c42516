"""The DNS by dnspython: no answer and no such record are two things."""

from __future__ import annotations

from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from bulkmail.online.dns import Unanswered

#: Seconds for a question, all name servers and tries together.
LIFETIME = 5.0


class Resolver:
    """A `Dns` that asks the name servers of this machine, or those given."""

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
        self._resolver.port = port
        self._resolver.lifetime = LIFETIME

    async def txt(self, name: str) -> list[str]:
        """As `Dns.txt`; bytes beyond ASCII are replaced."""
        answers = await self._ask(name, "TXT")
        texts = [b"".join(record.strings) for record in answers if isinstance(record, TXT)]
        return [text.decode("ascii", "replace") for text in texts]

    async def mx(self, name: str) -> list[str]:
        """As `Dns.mx`."""
        answers = await self._ask(name, "MX")
        found = sorted(
            (record.preference, str(record.exchange).rstrip("."))
            for record in answers
            if isinstance(record, MX)
        )
        return [host for _, host in found]

    async def addresses(self, name: str) -> list[str]:
        """As `Dns.addresses`."""
        found = [*await self._ask(name, "A"), *await self._ask(name, "AAAA")]
        return [str(record) for record in found]

    async def _ask(self, name: str, kind: str) -> Sequence[object]:
        try:
            answer = await self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise Unanswered(f"{kind} of {name}: {_first_line(error)}") from error
        return tuple(answer)


def _first_line(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return f"no answer within {LIFETIME:g} s"
    return (str(error).splitlines() or [type(error).__name__])[0]
