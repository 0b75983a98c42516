"""Whoever watches a run is told of tries: one by one, or together where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bulkmail.delivery.ports import Observer
from bulkmail.fate import Attempt, Delivery

#: Tries whose results are in the ledger, in their order.
Tried: TypeAlias = Sequence[tuple[Delivery, Attempt]]


def teller_of_tries(observer: Observer) -> Callable[[Tried], None]:
    """What tells `observer` of tries: its `all_attempted`, where it has one, of several at once."""
    together: Callable[[Tried], None] | None = getattr(observer, "all_attempted", None)
    if together is not None:
        return together
    attempted = observer.attempted

    def tell(tried: Tried) -> None:
        for delivery, attempt in tried:
            attempted(delivery, attempt)

    return tell
