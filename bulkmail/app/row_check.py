"""One row's check, as a value: what a process of its own can be asked for, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from bulkmail.app.linting import is_looked_at
from bulkmail.fate import Delivery, FileNote
from bulkmail.message.composer import Composer
from bulkmail.message.faults import RowFaults, RowSkipped

_NAMES = tuple(field.name for field in fields(Delivery))
_values = attrgetter(*_NAMES)


class Question(NamedTuple):
    """Rows in a row of the pass, to be checked as of one instant."""

    #: Their values, as they travel: to pickle a dataclass takes thrice as long, at either end.
    rows: list[tuple[Any, ...]]
    instant: datetime
    #: The place of the first one in the pass, from 1; None: none of them is looked at closely.
    first: int | None = None

    @classmethod
    def about(
        cls, rows: Iterable[Delivery], instant: datetime, first: int | None = None
    ) -> Question:
        """The question about these rows."""
        return cls([_values(row) for row in rows], instant, first)

    def deliveries(self) -> Iterator[Delivery]:
        """The rows that are asked about."""
        return (Delivery(**dict(zip(_NAMES, row, strict=True))) for row in self.rows)


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
        for behind, row in enumerate(question.deliveries())
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
