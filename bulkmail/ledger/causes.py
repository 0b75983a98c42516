"""What is held against a row, and judged anew: its `cause`.

=======  ==========================================  =======================================
gone     the list no longer holds it                 in each pass
row      the list's own row is bad (`NewRow`)         in each pass
check    it was found unfit after the pass           in each pass; `rejudge(recheck=True)`
listed   a suppression list names its address        in each pass; in each `rejudge`
skipped  its condition says so                       in each pass; in each `rejudge`
=======  ==========================================  =======================================

One cause more, `cancelled`, is judged by nobody: see `orders`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from bulkmail.address import spellings
from bulkmail.fate import Counts
from bulkmail.ledger import orders, reading
from bulkmail.ledger.statements import load

#: An address and why it gets nothing.
Listed = tuple[str, str]


def rejudge(
    connection: sqlite3.Connection,
    campaign_id: int,
    listed: Iterable[Listed],
    now: float,
    *,
    recheck: bool,
    keeps_fields: bool,
) -> Counts:
    """Apply the suppression lists, and what was ordered, to a campaign whose list is unchanged."""
    parameters = {
        "campaign_id": campaign_id,
        "now": now,
        "recheck": recheck,
        "keep_fields": keeps_fields,
    }
    _judge(connection, ("judge listed",), parameters, listed)
    return reading.counts(connection, campaign_id)


def judge_pass(
    connection: sqlite3.Connection, parameters: Mapping[str, object], listed: Iterable[Listed]
) -> None:
    """Judge all rows of a campaign by a pass over its list, which has come to its end."""
    _judge(connection, ("judge rows", "judge gone", "judge listed"), parameters, listed)


def _judge(
    connection: sqlite3.Connection,
    statements: Iterable[str],
    parameters: Mapping[str, object],
    listed: Iterable[Listed],
) -> None:
    """Let go whom nothing is held against any more; hold the rest, by these statements."""
    sql = load("causes")
    _fill_listed(connection, listed)
    connection.execute(sql["clear"], parameters)
    for name in statements:
        connection.execute(sql[name], parameters)
    orders.cancel(connection, parameters)
    connection.execute(sql["admit"], parameters)
    connection.execute(sql["empty listed"])


def admit(
    connection: sqlite3.Connection, campaign_id: int, listed: Iterable[Listed], now: float
) -> int:
    """Make those due who were put back, but for who is on a list; how many."""
    sql = load("causes")
    parameters = {"campaign_id": campaign_id, "now": now}
    _fill_listed(connection, listed)
    connection.execute(sql["judge put back"], parameters)
    connection.execute(sql["empty listed"])
    return connection.execute(sql["admit"], parameters).rowcount


def _fill_listed(connection: sqlite3.Connection, listed: Iterable[Listed]) -> None:
    """Put who gets nothing into this connection's temporary table."""
    sql = load("causes")
    connection.execute(sql["create listed"])
    connection.execute(sql["empty listed"])
    names = ((name, reason) for address, reason in listed for name in spellings(address))
    connection.executemany(sql["list"], names)
    connection.execute(sql["list suppression"])


def fail_rows(
    connection: sqlite3.Connection,
    campaign_id: int,
    failures: Iterable[tuple[int, str]],
    now: float,
) -> None:
    """Fail rows that were found unfit, and that nobody holds."""
    connection.executemany(
        load("causes")["fail row"],
        (
            {"id": id_, "campaign_id": campaign_id, "reason": reason, "now": now}
            for id_, reason in failures
        ),
    )


def skip_rows(
    connection: sqlite3.Connection,
    campaign_id: int,
    skipped: Iterable[tuple[int, str]],
    now: float,
) -> None:
    """Suppress rows that get nothing by a condition, and that nobody holds."""
    connection.executemany(
        load("causes")["skip row"],
        (
            {"id": id_, "campaign_id": campaign_id, "reason": reason, "now": now}
            for id_, reason in skipped
        ),
    )
