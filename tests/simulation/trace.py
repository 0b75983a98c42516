"""What happened, hashed: two runs of one seed are the same if and only if their hashes are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

#: Words and numbers, and what else has the same `repr` in every process.
Fact = object


class Trace:
    """Takes events in their order."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        #: Each event's instant and facts: made words of once, when all is over.
        self._events: list[tuple[float, tuple[Fact, ...]]] = []
        #: Something happened: its instant, and its facts.
        self.note = self._events.append

    def lines(self) -> Iterator[str]:
        """The events, for a person to read."""
        for at, facts in self._events:
            yield f"{at:.6f} {' '.join(map(str, facts))}"

    @property
    def digest(self) -> str:
        """The hash so far."""
        return hashlib.blake2b(repr(self._events).encode(), digest_size=8).hexdigest()
