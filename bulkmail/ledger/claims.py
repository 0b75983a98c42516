"""Claims: who is due, and leased to one run.

They are chosen first and leased then, in one transaction: a statement that does both, and tells of
them, takes twice as long.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, TypeAlias

from bulkmail.fate import Delivery, State
from bulkmail.ledger import checked
from bulkmail.ledger.reading import read_delivery
from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class

#: When it is due and its id, and what else `read_delivery` takes.
_Row: TypeAlias = tuple[Any, ...]


@value_class(kw_only=True)
class Claim:
    """What a run asks for."""

    campaign_id: int
    owner: str
    #: Epoch seconds.
    now: float
    lease_until: float
    #: Rows at most.
    limit: int
    #: The domain limit whose rows are meant; "" those under none.
    scope: str
    #: The ids to choose from; None: all.
    among: Collection[int] | None
    #: Whether who was tried before is the first, or who is fresh.
    is_again_first: bool


def take(connection: sqlite3.Connection, claim: Claim) -> list[Delivery]:
    """Lease the next due deliveries; the oldest due comes first.

    Fresh ones and those that were tried before are taken in turn, so that neither waits for the end
    of the other. Doubts come last: one that is cut a second time is held for a person, and a long
    run is cut more often than its end.
    """
    fresh = _due(connection, claim, State.PENDING)
    again = _due(connection, claim, State.DEFERRED)
    in_turn = _in_turn(again, fresh) if claim.is_again_first else _in_turn(fresh, again)
    taken = in_turn[: claim.limit]
    if len(taken) < claim.limit:
        taken += _due(connection, claim, State.IN_DOUBT)[: claim.limit - len(taken)]
    if not taken:
        return []
    ids = json.dumps([row[1] for row in taken])
    lease = {"owner": claim.owner, "lease_until": claim.lease_until, "ids": ids}
    connection.execute(load("run")["lease"], lease)
    deliveries = [read_delivery(columns) for _, *columns in sorted(taken)]
    return checked.with_files(connection, claim.campaign_id, deliveries)


def _due(connection: sqlite3.Connection, claim: Claim, state: State) -> list[_Row]:
    parameters = {
        "campaign_id": claim.campaign_id,
        "owner": claim.owner,
        "now": claim.now,
        "limit": claim.limit,
        "scope": claim.scope,
        "among": None if claim.among is None else json.dumps(list(claim.among)),
        "state": state.value,
    }
    return connection.execute(load("run")["due"], parameters).fetchall()


def _in_turn(first: Sequence[_Row], second: Sequence[_Row]) -> list[_Row]:
    """One of each, while there are; then the rest of either."""
    pairs = min(len(first), len(second))
    both = chain.from_iterable(zip(first, second, strict=False))
    return [*both, *first[pairs:], *second[pairs:]]
