"""The command line run in the test's own process, and an app that is what a test says."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        """All it printed."""
        return self.out + self.err


#: Runs a command line.
Cli = Callable[..., Result]

#: Puts a module of `bulkmail.app` in place for one test: its name and what it holds.
Fake = Callable[..., types.ModuleType]


class Recorder:
    """A coroutine function that keeps what it was called with."""

    def __init__(self, result: Any = None, error: BaseException | None = None) -> None:
        self.result = result
        self.error = error
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls.append((arguments, options))
        if self.error is not None:
            raise self.error
        return self.result
