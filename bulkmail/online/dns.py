"""What is asked of the DNS, by whoever judges a sender. `resolver` answers it."""

from __future__ import annotations

from typing import Protocol


class Unanswered(Exception):
    """The DNS gave no answer: nothing is known of the record. The message says why."""


class Dns(Protocol):
    """The DNS, as far as a sender is looked up in it. A name without records gives an empty list.

    Every method raises `Unanswered`.
    """

    async def txt(self, name: str) -> list[str]:
        """TXT records, each one's strings joined."""
        ...

    async def mx(self, name: str) -> list[str]:
        """Mail exchangers in order of preference, without the final dot; "" is a null MX."""
        ...

    async def addresses(self, name: str) -> list[str]:
        """IPv4 and IPv6 addresses."""
        ...
