"""One row's check, as a value: what a process of its own can be asked for, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bulkmail.app.check.linting import is_looked_at
from bulkmail.fate import Delivery, FileNote
from bulkmail.message.composer import Composer
from bulkmail.message.faults import RowFaults, RowSkipped


class Question(NamedTuple):
    """Rows in a row of the pass, to be checked as of one instant."""

    rows: Sequence[Delivery]
    instant: datetime
    #: The place of the first one in the pass, from 1; None: none of them is looked at closely.
    first: int | None = None


class Sound(NamedTuple):
    """A message can be made of the row."""

    size: int
    #: The row's own files.
    files: tuple[FileNote, ...] = ()
    #: What is worth knowing of it, where it was looked at closely.
    notices: tuple[str, ...] = ()


class Skipped(NamedTuple):
    """The row gets nothing by the campaign's condition."""

    reason: str


class Unfit(NamedTuple):
    """No message can be made; why is for whoever asked to find out, who knows all rows."""


Answer = Sound | Skipped | Unfit


async def answers(question: Question, composer: Composer) -> list[Answer]:
    """What each row comes to by itself: who has whose file is known to who sees them all."""
    first = question.first
    return [
        await _answer(
            row,
            composer,
            question.instant,
            is_close=first is not None and is_looked_at(first + behind),
        )
        for behind, row in enumerate(question.rows)
    ]


async def _answer(
    row: Delivery, composer: Composer, instant: datetime, *, is_close: bool
) -> Answer:
    try:
        mail = await composer.draft(row, instant)
    except RowSkipped as skipped:
        return Skipped(skipped.reason)
    except RowFaults:
        return Unfit()
    notes = tuple([file.note for file in mail.files if file.note is not None])
    if not is_close:
        return Sound(mail.size, notes)
    from bulkmail.message.lint import lint  # noqa: PLC0415  # slow to import

    return Sound(mail.size, notes, lint(mail))
