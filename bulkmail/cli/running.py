"""Where asyncio begins: the only `asyncio.run` of the program."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end. SIGINT and SIGTERM cancel it, unless it answers them."""
    import asyncio

    return asyncio.run(work)
