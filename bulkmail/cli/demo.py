"""`bulkmail demo`: the shipped example, sent to a server on this machine. `make demo` runs it."""

from __future__ import annotations

from pathlib import Path

import typer

from bulkmail.cli.output import say
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible


def demo() -> None:
    """Send the shipped example campaign to a server started for it on this machine.

    Example: bulkmail demo
    """
    from bulkmail.app import demo as shipped

    summary = run(shipped.demo(Path.cwd(), say=lambda line: say(visible(line))))
    raise typer.Exit(summary.exit_code)
