"""Recovery: what a dead run left is taken over by who holds the campaign's lock."""

from __future__ import annotations

import sqlite3

from bulkmail.ledger import orders
from bulkmail.ledger.statements import load

#: Seconds: who waits for longer was put off by a clock that was wrong.
_FARTHEST = 32 * 86400.0


def cut_off(connection: sqlite3.Connection, campaign_id: int, owner: str | None, now: float) -> int:
    """End the claims of dead owners; how many deliveries are in doubt by it, and held."""
    sql = load("run")
    parameters = {
        "campaign_id": campaign_id,
        "owner": owner,
        "now": now,
        "reason": "the run was cut off after the end of data may have been sent",
    }
    connection.execute(sql["note cut off"], parameters)
    doubts = connection.execute(sql["cut off"], parameters).rowcount
    connection.execute(sql["free claims"], parameters)
    return doubts


def recover(
    connection: sqlite3.Connection,
    campaign_id: int,
    *,
    resend: bool,
    due_at: float,
    give_up_after: float,
    owner: str | None,
    now: float,
    keeps_fields: bool,
) -> int:
    """Take over what dead owners left; how many deliveries are in doubt by it."""
    doubts = cut_off(connection, campaign_id, owner, now)
    parameters = {
        "campaign_id": campaign_id,
        "due_at": due_at,
        "give_up_after": give_up_after,
        "keep_fields": keeps_fields,
        "now": now,
    }
    connection.execute(load("run")["look again"], parameters)
    if owner is None:
        connection.execute(load("run")["clock set back"], parameters | {"farthest": _FARTHEST})
    connection.execute(load("run")["give up"], parameters)
    connection.execute(load("run")["resend doubts" if resend else "hold doubts"], parameters)
    orders.cancel(connection, parameters)
    return doubts
