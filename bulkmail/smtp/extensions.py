"""What a server offers: the reply to EHLO (RFC 5321, 4.1.1.1) as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from bulkmail.smtp.reply import Reply

#: RFC 5321, 4.1.1.1: ehlo-keyword. The separator is a space; "=" is old Exchange's and QQ's, from
#: before RFC 2554 settled ("AUTH=LOGIN PLAIN").
_ENTRY = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:[ \t=](.*))?")
#: RFC 1870, 4: up to 20 digits.
_SIZE = re.compile(r"[0-9]{1,20}(?![^ \t])")


@dataclass(frozen=True)
class Extensions:
    """Keywords in capitals, each with its parameters as sent. Empty after HELO.

    Of a keyword that comes twice the first counts; AUTH's mechanisms are gathered from all.
    """

    keywords: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: SASL mechanisms in capitals, in the server's order, from AUTH and the old ``AUTH=``.
    auth: tuple[str, ...] = ()

    @classmethod
    def parse(cls, reply: Reply) -> Extensions:
        """Read the reply to EHLO. Its first line is the server's name and is left out.

        Never raises: a line that is no keyword is left out as well.
        """
        keywords: dict[str, str] = {}
        mechanisms: dict[str, None] = {}
        for entry in reply.lines[1:]:
            match = _ENTRY.fullmatch(entry.strip())
            if match is None:
                continue
            keyword, parameters = match[1].upper(), (match[2] or "").strip()
            keywords.setdefault(keyword, parameters)
            if keyword == "AUTH":
                mechanisms |= dict.fromkeys(parameters.upper().replace("=", " ").split())
        return cls(MappingProxyType(keywords), tuple(mechanisms))

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @cached_property
    def size(self) -> int | None:
        """Largest content in octets (RFC 1870).

        None where no limit is named (SIZE, SIZE 0), or what stands there is none.
        """
        match = _SIZE.match(self.keywords.get("SIZE", ""))
        return int(match[0]) or None if match else None

    @cached_property
    def pipelining(self) -> bool:
        """PIPELINING (RFC 2920)."""
        return "PIPELINING" in self

    @cached_property
    def starttls(self) -> bool:
        """STARTTLS (RFC 3207)."""
        return "STARTTLS" in self

    @cached_property
    def eight_bit_mime(self) -> bool:
        """8BITMIME (RFC 6152)."""
        return "8BITMIME" in self

    @cached_property
    def smtputf8(self) -> bool:
        """SMTPUTF8 (RFC 6531)."""
        return "SMTPUTF8" in self

    @cached_property
    def chunking(self) -> bool:
        """CHUNKING: BDAT instead of DATA (RFC 3030)."""
        return "CHUNKING" in self
