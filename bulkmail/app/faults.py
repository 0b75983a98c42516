"""Collecting what is wrong, so that all of it is told in one go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from bulkmail.errors import ConfigurationError, Fault


class FaultList:
    """Faults in the order they were found, each once."""

    def __init__(self) -> None:
        self._faults: dict[Fault, None] = {}

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take these in."""
        self._faults |= dict.fromkeys(faults)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Take in the faults of a `ConfigurationError` raised inside, and go on behind it."""
        try:
            yield
        except ConfigurationError as error:
            self.add(error.faults)

    def complain(self) -> None:
        """Raise `ConfigurationError` with all of them, where there is one."""
        if self._faults:
            raise ConfigurationError(*self._faults)
