"""When somebody is due, as the ledger said a moment ago: it is not asked with each result.

Where a claim came back with fewer than it might, nobody else was due: the ledger is asked from then
on when somebody is, and not for rows that are not there.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection

from bulkmail.delivery.ledger_port import Ledger

#: Seconds for which its word holds: rows that others give back are not told here.
NOBODY = 1.0
_NEVER = -math.inf


class Outlook:
    """By group of domains, "" for none, when its first row is due. Times are epoch seconds."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        #: When it was asked, and what it said; infinity: nobody waits.
        self._said: dict[str, tuple[float, float]] = {}
        #: Those that were asked about since the last look.
        self._fresh: set[str] = set()

    def look(self, due_at: float) -> None:
        """Begin a look: by what happened somebody, of whatever group, may be due from then on."""
        self._fresh.clear()
        if math.isfinite(due_at):
            said = self._said.items()
            self._said = {scope: (at, min(known, due_at)) for scope, (at, known) in said}

    def forget(self) -> None:
        """Ask anew of all."""
        self._said = {scope: (_NEVER, due_at) for scope, (_, due_at) in self._said.items()}

    def is_quiet(self, scope: str, now: float) -> bool:
        """Whether nobody of a group is due, as far as is known."""
        return self._knows(scope, now) and self._said[scope][1] > now

    def is_fresh(self, scopes: Collection[str]) -> bool:
        """Whether all is known by this look."""
        return self._fresh.issuperset(scopes)

    def found_all(self, scope: str) -> None:
        """A claim took whoever was due of a group; who is next, is to be asked."""
        self._said[scope] = _NEVER, math.inf

    async def ask_again(self, scopes: Collection[str], now: float) -> None:
        """Ask about those of whom it was said that nobody was due, where that was long ago."""
        await self.ask([s for s in scopes if s in self._said and self._said[s][1] > now], now)

    async def ask(self, scopes: Collection[str], now: float) -> None:
        """Ask about those of whom nothing is known."""
        unknown = [scope for scope in scopes if not self._knows(scope, now)]
        answers = await asyncio.gather(*(self._ledger.next_due_at([scope]) for scope in unknown))
        for scope, due_at in zip(unknown, answers, strict=True):
            self._said[scope] = now, math.inf if due_at is None else due_at
        self._fresh.update(unknown)

    def due_at(self, scopes: Collection[str]) -> float | None:
        """The first that is due of these, all of whom were asked about; None: nobody waits."""
        due_at = min((self._said[scope][1] for scope in scopes), default=math.inf)
        return due_at if math.isfinite(due_at) else None

    def _knows(self, scope: str, now: float) -> bool:
        # Not by a clock that was set back meanwhile.
        said = self._said.get(scope)
        return said is not None and 0 <= now - said[0] < NOBODY
