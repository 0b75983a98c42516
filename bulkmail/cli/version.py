"""`bulkmail --version`: the program's version, without loading the commands."""

from __future__ import annotations

import sys

from bulkmail.version import __version__


def print_version() -> None:
    """Print ``bulkmail 0.1.0``."""
    sys.stdout.write(f"bulkmail {__version__}\n")
