"""Where asyncio begins: the only `asyncio.Runner` of the commands."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], *, is_fast: bool = False) -> Result:
    """Run a command's work to its end. SIGINT and SIGTERM cancel it, unless it answers them.

    `is_fast`: on uvloop, where it is installed; it is worth its import where thousands are sent.
    """
    import asyncio

    if not is_fast:
        return asyncio.run(work)
    from bulkmail.app.loop import loop_factory

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)
