"""What is written of a try: its `sending` mark, and what it came to.

Both are rows of one `Folded` work: those of all workers that wait for the writer are written by
few statements, however many they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from bulkmail.fate import State
from bulkmail.ledger.jobs import Uneven
from bulkmail.ledger.statements import execute_for, load


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
