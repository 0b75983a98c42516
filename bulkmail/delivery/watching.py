"""Whoever watches a run is told of tries: one by one, or together where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from bulkmail.delivery.ports import Observer
from bulkmail.fate import Attempt, Delivery

#: Tries whose results are in the ledger, in their order.
Tried: TypeAlias = Sequence[tuple[Delivery, Attempt]]


@runtime_checkable
class Together(Protocol):
    """An observer that is told of several tries at once: there are thousands in a second."""

    def all_attempted(self, tried: Tried) -> None:
        """What `attempted` would be told of one after the other."""
        ...


def teller_of_tries(observer: Observer) -> Callable[[Tried], None]:
    """What tells `observer` of tries."""
    if isinstance(observer, Together):
        return observer.all_attempted
    attempted = observer.attempted

    def tell(tried: Tried) -> None:
        for delivery, attempt in tried:
            attempted(delivery, attempt)

    return tell
