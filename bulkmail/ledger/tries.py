"""What is written of a try: its `sending` mark, and what it came to.

Both are rows of one `Folded` work: those of all workers that wait for the writer are written by
few statements, however many they are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from bulkmail.fate import Attempt, Delivery, Digests, State
from bulkmail.ledger.jobs import Uneven
from bulkmail.ledger.statements import execute_for, load

#: To ask a member for its value takes three calls in Python.
_WORDS = {state: state.value for state in State}
#: Made once: `json.dumps` makes one for each value.
_JSON = json.JSONEncoder(ensure_ascii=False)


class Mark(NamedTuple):
    """The end of data may go out from here on. The fields are those of the statement."""

    id: int
    epoch: int
    owner: str
    started_at: float
    now: float
    lease_until: float
    message_sha256: bytes | None
    #: JSON.
    attachments: str | None


class Result(NamedTuple):
    """What a try came to, and the end of its claim. The fields are those of the statement.

    They are plain: for an enum or a truth value sqlite3 looks for an adapter, which takes as long
    as to bind ten of the others.
    """

    id: int
    epoch: int
    owner: str
    at: float
    started_at: float
    #: A `State`'s.
    state: str
    reason: str
    due_at: float | None
    #: 1 or 0, as the next one and the last.
    counted: int
    doubted: int
    server: str | None
    stage: str | None
    code: int | None
    enhanced_code: str | None
    reply: str | None
    #: JSON.
    refused_recipients: str | None
    gateway_id: str | None
    keep_fields: int


Note: TypeAlias = Mark | Result


def mark_of(
    delivery: Delivery,
    started_at: float,
    digests: Digests | None,
    *,
    owner: str,
    now: float,
    lease_until: float,
) -> Mark:
    """The mark of a message that its owner is about to hand over."""
    return Mark(
        id=delivery.id,
        epoch=delivery.epoch,
        owner=owner,
        started_at=started_at,
        now=now,
        lease_until=lease_until,
        message_sha256=bytes.fromhex(digests.message_sha256) if digests else None,
        attachments=as_json(digests.attachments) if digests and digests.attachments else None,
    )


def result_of(attempt: Attempt, owner: str, *, keeps_fields: bool) -> Result:
    """What an owner's try came to."""
    due_at, refused = attempt.due_at, attempt.refused_recipients
    is_to_go = attempt.state is State.PENDING or attempt.state is State.DEFERRED
    if due_at is None and is_to_go:
        # At once, and behind those that were not even begun: a message that no server begins to
        # take must not stand before all others for ever.
        due_at = attempt.at
    return Result(
        id=attempt.delivery_id,
        epoch=attempt.epoch,
        owner=owner,
        at=attempt.at,
        started_at=attempt.started_at,
        state=_WORDS[attempt.state],
        reason=attempt.reason,
        due_at=due_at,
        counted=int(attempt.is_counted),
        doubted=int(attempt.is_doubt),
        server=attempt.server,
        stage=attempt.stage,
        code=attempt.code,
        enhanced_code=attempt.enhanced_code,
        reply=attempt.reply,
        refused_recipients=as_json(refused) if refused else None,
        gateway_id=attempt.gateway_id,
        keep_fields=int(keeps_fields),
    )


def as_json(values: Mapping[str, str] | Sequence[Mapping[str, Any]]) -> str:
    """As the ledger keeps it."""
    return _JSON.encode(values)


def write(connection: sqlite3.Connection, notes: Sequence[Note]) -> list[bool]:
    """Write them; of each, whether the claim was ours. A mark stands before its own result.

    Raises `Uneven` where there are several, and one of them was not ours.
    """
    if len(notes) == 1:
        (note,) = notes
        if isinstance(note, Mark):
            return [_mark(connection, note)]
        return [_record(connection, note)]
    marks: list[Mark] = []
    results: list[Result] = []
    for note in notes:
        if isinstance(note, Mark):
            marks.append(note)
        else:
            results.append(note)
    _all(connection, "mark", marks)
    _all(connection, "record", results)
    for result in results:
        if result.state != State.SENT:
            _behind(connection, result)
    return [True] * len(notes)


def _mark(connection: sqlite3.Connection, mark: Mark) -> bool:
    sql = load("run")
    if connection.execute(sql["mark"], mark).rowcount == 1:
        return True
    fence = {"id": mark.id, "epoch": mark.epoch, "owner": mark.owner, "now": mark.now}
    if connection.execute(sql["let go"], fence).rowcount == 1:
        connection.execute(sql["apply suppression"], fence)
    return False


def _record(connection: sqlite3.Connection, result: Result) -> bool:
    is_ours = connection.execute(load("run")["record"], result).rowcount == 1
    if is_ours and result.state != State.SENT:
        _behind(connection, result)
    return is_ours


def _behind(connection: sqlite3.Connection, result: Result) -> None:
    """What else is to be written of a try that did not end in `sent`."""
    sql = load("run")
    connection.execute(sql["note attempt"], result._asdict())
    parameters = {"id": result.id, "now": result.at, "keep_fields": result.keep_fields}
    connection.execute(sql["apply suppression"], parameters)
    connection.execute(sql["apply cancellation"], parameters)


def _all(connection: sqlite3.Connection, name: str, rows: Sequence[Note]) -> None:
    """Write all rows, in as few statements as there can be."""
    for count, changed in execute_for(connection, load("run")[name], rows):
        if changed != count:
            raise Uneven
