"""Who is new to a series: what an earlier occurrence holds is left out of a later one.

A key is held in any state but `failed` and `suppressed`, by another occurrence of the series or by
the campaign that the series is named after (a plain `send` of it). Rows belong to their series from
the completion of their list on; a pass that was cut off holds nobody. Two lists may be read at the
same time: each key is looked at once more in the transaction that completes a list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bulkmail.ledger.statements import load
from bulkmail.value_class import value_class


@value_class
class Series:
    """What a pass has to do with a series."""

    #: Its name: that of the campaign's file.
    name: str
    #: Whether this is an occurrence of it; else it is the campaign it is named after.
    is_occurrence: bool = True
    #: Whether keys that are held are left out.
    only_new: bool = False


def held(
    connection: sqlite3.Connection, series: Series, campaign_id: int, keys: Iterable[str]
) -> set[str]:
    """Those of the keys that somebody else of the series holds."""
    statement = load("newcomers")["held"]
    parameters = {"series": series.name, "campaign_id": campaign_id}
    return {
        key
        for key in keys
        if connection.execute(statement, parameters | {"key": key}).fetchone() is not None
    }


def settle(
    connection: sqlite3.Connection, series: Series, campaign_id: int, generation: int
) -> int:
    """Let the rows of a pass belong to the series; how many are left out after all."""
    sql = load("newcomers")
    parameters = {"series": series.name, "campaign_id": campaign_id, "generation": generation}
    out = 0
    if series.only_new:
        born = connection.execute(sql["born"], parameters).fetchall()
        known = held(connection, series, campaign_id, (key for _, key in born))
        out = (
            connection.executemany(
                sql["leave out"], [(id_,) for id_, key in born if key in known]
            ).rowcount
            if known
            else 0
        )
    if series.is_occurrence:
        connection.execute(sql["join"], parameters)
    return out
