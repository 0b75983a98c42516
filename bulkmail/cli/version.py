"""`bulkmail --version`: the program's version, without loading the commands."""

from __future__ import annotations

import importlib.metadata
import sys


def print_version() -> None:
    """Print ``bulkmail 0.1.0``."""
    sys.stdout.write(f"bulkmail {importlib.metadata.version('bulkmail')}\n")
