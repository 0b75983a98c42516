"""Counting and reading: what `status`, `report`, the check and a preview ask of the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bulkmail.fate import Counts, Delivery, State
from bulkmail.ledger.statements import bindable, load
from bulkmail.value_class import value_class

#: Rows of one page of the report: enough to be quick, few enough to keep nobody waiting.
PAGE = 2000
#: Of JSON as the ledger writes it, with nothing around it: half the steps of `json.loads`.
_parsed = json.JSONDecoder().raw_decode


@value_class(kw_only=True)
class ReportRow:
    """A row of the report, by the contract's keys."""

    row: int
    email: str
    key: str
    state: State
    reason: str
    attempts: int
    server: str | None
    stage: str | None
    code: int | None
    enhanced_code: str | None
    reply: str | None
    #: cc and bcc the server refused: address to reply. Empty: none.
    refused_recipients: Mapping[str, str]
    message_id: str
    #: A gateway's own name for the message; None: it gave none, or it was mail.
    gateway_id: str | None
    #: Epoch seconds.
    updated_at: float
    #: Of the message that went out, or may have: a mapping each (`Digests.attachments`), and the
    #: message's digest in hex. None before, and where it was sent by an earlier version.
    attachments: Sequence[Mapping[str, Any]] | None
    message_sha256: str | None


@value_class(kw_only=True)
class Duplicate:
    """A row of the list that repeats a key."""

    row: int
    key: str
    #: The row that has the key first; with it the key's message goes out.
    first_row: int


@value_class(kw_only=True)
class ReasonCount:
    """Deliveries that ended, or are held, for the same reason."""

    state: State
    code: int | None
    enhanced_code: str | None
    #: The reply of the first of them, or its reason where no server spoke.
    text: str
    count: int
    #: The first few addresses.
    addresses: tuple[str, ...]


def counts(connection: sqlite3.Connection, campaign_id: int) -> Counts:
    """Deliveries by state, without those of a pass that is not complete."""
    sql = load("reading")
    parameters = {"campaign_id": campaign_id}
    unborn = dict(connection.execute(sql["unborn counts"], parameters).fetchall())
    states = {
        state: count - unborn.get(state, 0)
        for state, count in connection.execute(sql["counts"], parameters)
    }
    (duplicates_,) = connection.execute(sql["duplicate count"], parameters).fetchone()
    return Counts(**states, duplicates=duplicates_)


def updated_at(connection: sqlite3.Connection, campaign_id: int) -> float | None:
    """When a delivery of the campaign changed last, epoch seconds; None without any."""
    statement = load("reading")["last update"]
    (latest,) = connection.execute(statement, {"campaign_id": campaign_id}).fetchone()
    return None if latest is None else float(latest)


def held(connection: sqlite3.Connection, campaign_id: int) -> int:
    """How many in doubt are not sent to again as things are."""
    found = connection.execute(load("reading")["held"], {"campaign_id": campaign_id}).fetchone()
    return int(found[0])


def tried_since(connection: sqlite3.Connection, campaign_id: int, since: float) -> int:
    """How many deliveries changed since then (epoch seconds) as by a try."""
    parameters = {"campaign_id": campaign_id, "since": since}
    (count,) = connection.execute(load("reading")["tried since"], parameters).fetchone()
    return int(count)


def duplicates(connection: sqlite3.Connection, campaign_id: int) -> list[Duplicate]:
    """The rows that repeat a key, in the list's order."""
    found = connection.execute(load("reading")["duplicates"], {"campaign_id": campaign_id})
    return [Duplicate(row=row, key=key, first_row=first) for row, key, first in found]


def rows(
    connection: sqlite3.Connection,
    campaign_id: int,
    *,
    after: int,
    limit: int,
    states: Collection[State] | None,
) -> list[Delivery]:
    """Up to `limit` rows of the list behind the one with the id `after`, in these states."""
    parameters = {"campaign_id": campaign_id, "after": after}
    kept: list[Delivery] = []
    cursor = connection.execute(load("reading")["rows"], parameters)
    for *columns, state in cursor:
        if states is None or state in states:
            kept.append(read_delivery(columns))
            if len(kept) == limit:
                break
    cursor.close()
    return kept


def delivery(
    connection: sqlite3.Connection, campaign_id: int, *, row: int | None, email: str | None
) -> Delivery | None:
    """One row of the list, by number or by address; the first, where several have it."""
    sql = load("reading")
    statement = sql["row"] if row is not None else sql["mailbox"]
    parameters = {"row_number": row, "mailbox": bindable((email or "").lower())}
    found = connection.execute(statement, parameters | {"campaign_id": campaign_id}).fetchone()
    return None if found is None else read_delivery(found)


def report_page(
    connection: sqlite3.Connection,
    campaign_id: int,
    state: State | None,
    after: tuple[int, int],
) -> tuple[list[ReportRow], tuple[int, int]]:
    """A page of the report, and where the next one begins; an empty page is the end."""
    parameters = {"campaign_id": campaign_id, "state": state, "limit": PAGE}
    parameters |= {"row_number": after[0], "id": after[1]}
    found = connection.execute(load("reading")["report"], parameters).fetchall()
    if found:
        after = found[-1][0], found[-1][1]
    return [_report_row(columns) for columns in found], after


def reasons(connection: sqlite3.Connection, campaign_id: int) -> list[ReasonCount]:
    """What ended or holds deliveries, the most frequent first."""
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for columns in connection.execute(load("reading")["reasons"], {"campaign_id": campaign_id}):
        state, code, enhanced_code, reason, *_ = columns
        groups[state, code, enhanced_code, None if code else reason].append(columns)
    return [_reason(group) for group in groups.values()]


def by_server(connection: sqlite3.Connection, campaign_id: int) -> dict[str, Counts]:
    """Deliveries by the server of their last attempt."""
    servers: dict[str, dict[str, int]] = defaultdict(dict)
    found = connection.execute(load("reading")["by server"], {"campaign_id": campaign_id})
    for server, state, count in found:
        servers[server][state] = count
    return {server: Counts(**states) for server, states in servers.items()}


def waiting_by_domain(connection: sqlite3.Connection, campaign_id: int) -> dict[str, int]:
    """Who is still to be sent to, by recipient domain."""
    statement = load("reading")["waiting by domain"]
    return dict(connection.execute(statement, {"campaign_id": campaign_id}).fetchall())


def quotas(connection: sqlite3.Connection) -> dict[tuple[str, float], list[tuple[int, int]]]:
    """What was used of each quota: buckets and how many, by server and length of the window."""
    used: dict[tuple[str, float], list[tuple[int, int]]] = defaultdict(list)
    for server, seconds, bucket, count in connection.execute(load("reading")["quotas"]):
        used[server, seconds].append((bucket, count))
    return dict(used)


def read_delivery(columns: Collection[Any]) -> Delivery:
    """A delivery of the columns, in the order in which every statement that reads them has them."""
    id_, epoch, row, key, address, fields, attempts, doubts, first, message_id, *more = columns
    return Delivery(
        id=id_,
        epoch=epoch,
        row=row,
        key=key,
        address=address,
        fields=_parsed(fields)[0] if fields else {},
        attempts=attempts,
        doubts=doubts,
        first_attempt_at=first,
        message_id=message_id,
        greylisted_by=more[0] if more else None,
    )


def _report_row(columns: tuple[Any, ...]) -> ReportRow:
    row, _, address, key, state, reason, attempts, server, stage, *answer = columns
    code, enhanced_code, reply, refused, message_id, gateway_id, updated_at, *sent = answer
    files, digest = sent
    return ReportRow(
        row=row,
        email=address,
        key=key,
        state=State(state),
        reason=reason,
        attempts=attempts,
        server=server,
        stage=stage,
        code=code,
        enhanced_code=enhanced_code,
        reply=reply,
        refused_recipients=json.loads(refused) if refused else {},
        message_id=message_id,
        gateway_id=gateway_id,
        updated_at=updated_at,
        attachments=(json.loads(files) if files else []) if digest else None,
        message_sha256=digest.hex() if digest else None,
    )


def _reason(group: list[tuple[Any, ...]]) -> ReasonCount:
    state, code, enhanced_code, reason, reply, _, total = group[0]
    return ReasonCount(
        state=State(state),
        code=code,
        enhanced_code=enhanced_code,
        text=(reply if code else None) or reason,
        count=total,
        addresses=tuple(columns[5] for columns in group),
    )
