"""Where asyncio begins: the only `asyncio.Runner` of the commands."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Seconds after which a command has loaded what it needs.
_STARTED = 1.0


def run(work: Coroutine[Any, Any, Result], *, is_fast: bool = False) -> Result:
    """Run a command's work to its end. SIGINT and SIGTERM cancel it, unless it answers them.

    `is_fast`: on uvloop, where it is installed; it is worth its import where thousands are sent.
    """
    tidied = _tidied(work)
    try:
        import asyncio

        if not is_fast:
            return asyncio.run(tidied)
        from bulkmail.app.loop import loop_factory

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(tidied)
    finally:  # where a signal came before they had begun, Python would warn of them
        tidied.close()
        work.close()


async def _tidied(work: Coroutine[Any, Any, Result]) -> Result:
    """The work, with garbage looked for from then on when what starts it is there.

    Whoever sends one letter has ended by then, and it was not looked for at all (`__main__`).
    """
    import asyncio

    asyncio.get_running_loop().call_later(_STARTED, _look_for_garbage)
    return await work


def _look_for_garbage() -> None:
    from bulkmail.app.loop import look_for_garbage

    look_for_garbage()
