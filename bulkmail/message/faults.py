"""What is wrong with one row's message."""

from __future__ import annotations

from bulkmail.errors import ConfigurationError


class RowFaults(ConfigurationError):
    """No message can be made for this row; every fault names the row and its address.

    The other rows are not concerned: `check` lists them all, `send` refuses to start, or leaves
    the row out under ``--skip-invalid``.
    """
