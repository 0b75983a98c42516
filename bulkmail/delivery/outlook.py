"""When somebody is due, as the ledger said a moment ago: it is not asked with each result."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection

from bulkmail.delivery.ports import Ledger

#: Seconds for which its word holds: rows that others give back are not told here.
NOBODY = 1.0
_NEVER = (-math.inf, 0.0)


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
        self._said.clear()

    def is_quiet(self, scope: str, now: float) -> bool:
        """Whether nobody of a group is due, as far as is known."""
        return self._knows(scope, now) and self._said[scope][1] > now

    def is_fresh(self, scopes: Collection[str]) -> bool:
        """Whether all is known by this look."""
        return self._fresh.issuperset(scopes)

    async def found_nobody(self, scopes: Collection[str], now: float) -> None:
        """A claim of these came back empty: what is known of them is not so any more."""
        for scope in scopes:
            self._said.pop(scope, None)
        await self.ask(scopes, now)

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
        return 0 <= now - self._said.get(scope, _NEVER)[0] < NOBODY
