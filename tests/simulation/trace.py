"""What happened, hashed: two runs of one seed are the same if and only if their hashes are."""

from __future__ import annotations

import hashlib
from collections import Counter


class Trace:
    """Takes events in their order."""

    def __init__(self, *, is_kept: bool = False) -> None:
        self._hash = hashlib.blake2b(digest_size=8)
        self.faults: Counter[str] = Counter()
        #: The events as lines, where they are kept for a person to read.
        self.lines: list[str] | None = [] if is_kept else None

    def note(self, at: float, *facts: object) -> None:
        """Something happened."""
        line = f"{at:.6f} {' '.join(map(str, facts))}"
        self._hash.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()
