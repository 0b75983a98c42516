"""What is wrong with one row's message."""

from __future__ import annotations

from bulkmail.errors import ConfigurationError, Fault


class RowFaults(ConfigurationError):
    """No message can be made for this row; every fault names the row and its address.

    The other rows are not concerned: `check` lists them all, `send` refuses to start, or leaves
    the row out under ``--skip-invalid``.
    """


class RowSkipped(ConfigurationError):
    """The campaign's `skip_if` says that this row gets nothing: it is suppressed, not failed."""

    def __init__(self, reason: str, *, row: int, address: str) -> None:
        super().__init__(Fault(message=f"gets nothing: {reason}", row=row, address=address))
        #: As the ledger keeps it.
        self.reason = reason
