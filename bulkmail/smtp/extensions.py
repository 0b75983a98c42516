"""What a server offers: the reply to EHLO (RFC 5321, 4.1.1.1) as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bulkmail.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Extensions:
    """Keywords in capitals, each with its parameters as sent. Empty after HELO."""

    keywords: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: SASL mechanisms in capitals, in the server's order, from AUTH and the old ``AUTH=``.
    auth: tuple[str, ...] = ()

    @classmethod
    def parse(cls, reply: Reply) -> Extensions:
        """Read the reply to EHLO. Its first line is the server's name and is left out."""
        keywords: dict[str, str] = {}
        mechanisms: dict[str, None] = {}
        for entry in reply.lines[1:]:
            keyword, _, parameters = entry.strip().partition(" ")
            # Old Exchange and QQ write "AUTH=LOGIN PLAIN", before RFC 2554 settled on a space.
            keyword, _, first = keyword.upper().partition("=")
            if keyword == "AUTH":
                mechanisms |= dict.fromkeys(f"{first} {parameters}".upper().split())
            elif keyword:
                keywords.setdefault(keyword, parameters.strip())
        return cls(MappingProxyType(keywords), tuple(mechanisms))

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def size(self) -> int | None:
        """Largest content in octets (RFC 1870); None where no limit is named (SIZE, SIZE 0)."""
        value = self.keywords.get("SIZE", "").split(" ")[0]
        return int(value) or None if value.isascii() and value.isdigit() else None

    @property
    def pipelining(self) -> bool:
        """PIPELINING (RFC 2920)."""
        return "PIPELINING" in self

    @property
    def starttls(self) -> bool:
        """STARTTLS (RFC 3207)."""
        return "STARTTLS" in self

    @property
    def eight_bit_mime(self) -> bool:
        """8BITMIME (RFC 6152)."""
        return "8BITMIME" in self

    @property
    def smtputf8(self) -> bool:
        """SMTPUTF8 (RFC 6531)."""
        return "SMTPUTF8" in self

    @property
    def chunking(self) -> bool:
        """CHUNKING: BDAT instead of DATA (RFC 3030)."""
        return "CHUNKING" in self
