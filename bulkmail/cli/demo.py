"""`bulkmail demo`: the shipped example, sent to a server on this machine. `make demo` runs it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bulkmail.cli.output import say
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.report.summary import Summary


def demo() -> None:
    """Send the shipped example campaign to a server started for it on this machine.

    Example: bulkmail demo
    """
    raise typer.Exit(run(_demo()).exit_code)


async def _demo() -> Summary:
    from bulkmail.app import demo as shipped
    from bulkmail.report.progress import display

    with display(sys.stderr) as watch:
        return await shipped.demo(Path.cwd(), say=_say, watch=watch, program=_program())


def _program() -> str:
    """How to call this program: by its name, or by its path where PATH does not lead to it."""
    called = Path(sys.argv[0])
    if shutil.which("bulkmail") is not None or called.name != "bulkmail":
        return "bulkmail"
    return os.path.relpath(called)


def _say(line: str) -> None:
    say(visible(line))
