"""`bulkmail --version`: the program's version, without loading the commands."""

from __future__ import annotations

import sys


def print_version() -> None:
    """Print ``bulkmail 0.1.0``."""
    import importlib.metadata

    sys.stdout.write(f"bulkmail {importlib.metadata.version('bulkmail')}\n")
