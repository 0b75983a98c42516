"""An asyncio bulk mail sender that knows every recipient's fate.

    from bulkmail import Campaign, SMTPClient, send

    summary = await send(Campaign.load("campaigns/offer.yaml"))

    async with SMTPClient(host, port, username=user, password=password) as client:
        result = await client.send_message(message)

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bulkmail.version import __version__

if TYPE_CHECKING:
    from bulkmail.app.options import SendOptions
    from bulkmail.app.sending import send
    from bulkmail.campaign.load import Campaign
    from bulkmail.errors import BulkmailError
    from bulkmail.fate import State
    from bulkmail.ledger import Ledger, MemoryLedger
    from bulkmail.report.summary import Summary
    from bulkmail.secret import Secret
    from bulkmail.smtp.transaction import TransactionResult
    from bulkmail.transport.client import SMTPClient

__all__ = [
    "BulkmailError",
    "Campaign",
    "Ledger",
    "MemoryLedger",
    "SMTPClient",
    "Secret",
    "SendOptions",
    "State",
    "Summary",
    "TransactionResult",
    "__version__",
    "send",
]

_HOMES = {
    "BulkmailError": "bulkmail.errors",
    "Campaign": "bulkmail.campaign.load",
    "Ledger": "bulkmail.ledger",
    "MemoryLedger": "bulkmail.ledger",
    "SMTPClient": "bulkmail.transport.client",
    "Secret": "bulkmail.secret",
    "SendOptions": "bulkmail.app.options",
    "State": "bulkmail.fate",
    "Summary": "bulkmail.report.summary",
    "TransactionResult": "bulkmail.smtp.transaction",
    "send": "bulkmail.app.sending",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
