"""`bulkmail demo`: the shipped example, sent to a server on this machine. `make demo` runs it."""

from __future__ import annotations

import typer

from bulkmail.cli.running import run


def demo() -> None:
    """Send the shipped example campaign to a server started for it on this machine.

    Example: bulkmail demo
    """
    from bulkmail.app import demo as shipped

    raise typer.Exit(run(shipped.demo()))
