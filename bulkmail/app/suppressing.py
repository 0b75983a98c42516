"""Who gets nothing: the ledger's suppression list and the campaign's own files, put together."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.address import spellings
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList
from bulkmail.campaign.suppression import suppressed_addresses
from bulkmail.ledger import Ledger

#: An address, in lower case, and why it gets nothing.
Listed = tuple[str, str]

_COPIES = {"cc", "bcc"}


def suppressed_by(campaign: Campaign) -> list[Listed]:
    """Addresses that the campaign's own `suppress:` files name, with the reason.

    Raises `ConfigurationError` for a file that is missing or cannot be read.
    """
    reason = "in a suppression file of the campaign"
    return [(address, reason) for address in suppressed_addresses(campaign)]


class Suppressions:
    """Asked of every cc and bcc while a message is made; rows themselves are the ledger's."""

    def __init__(self) -> None:
        self._addresses: set[str] = set()

    def __call__(self, address: str) -> bool:
        """Whether `address`, in lower case, gets nothing."""
        return address in self._addresses

    def all(self) -> frozenset[str]:
        """Those that it would say so of."""
        return frozenset(self._addresses)

    def add(self, addresses: Iterable[str]) -> None:
        """Take these in."""
        self._addresses.update(addresses)

    async def learn(
        self,
        campaign: Campaign,
        recipients: RecipientList | None,
        listed: list[Listed],
        ledger: Ledger,
    ) -> None:
        """Take in both lists, where the campaign can have copies at all: they may be long.

        `recipients` None: its rows are in the ledger, and may have any column.
        """
        names = () if recipients is None else recipients.columns
        columns = {column.strip().lower() for column in names}
        if campaign.model.cc or campaign.model.bcc or not columns or columns & _COPIES:
            self.add(name for address, _ in listed for name in spellings(address))
            self.add(entry.address for entry in await ledger.suppression().all())
