"""The nearest known name to one that was misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, when one is like it at all; case does not count."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence to put behind the fault: the nearest name, or all there are."""
    names = list(known)
    if near := nearest(name, names):
        return f"Did you mean `{near}`?"
    return f"Known here: {', '.join(names)}." if names else "There are none."
