"""Rows' own files, kept in the ledger as they were when their rows were checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from bulkmail.address import printable
from bulkmail.app.channel import AnyComposer
from bulkmail.fate import Delivery, FileNote
from bulkmail.ledger import Checks
from bulkmail.message.files.choice import changed
from bulkmail.message.mail_object import MailObject
from bulkmail.report.wording import counted

#: Rows with files in one commit.
_BATCH = 2000


class FileNotes:
    """What one pass over a list notes."""

    def __init__(self, checks: Checks, *, by_person: bool = False, is_strict: bool = False) -> None:
        """A strict one lets rows have no files but those that a person checked."""
        self._checks = checks
        self._by_person = by_person
        self._is_strict = is_strict
        self._notes: list[tuple[str, FileNote]] = []
        self._changed = 0
        self._first_changed = ""

    async def begin(self, composer: AnyComposer) -> None:
        """Learn whose files were sent already: nobody else gets one of them."""
        if composer.has_own_files:
            async for file in self._checks.owned():
                composer.note_owner(
                    FileNote(entry=file.entry, path=file.path, sha256=""),
                    file.key,
                    file.row,
                    file.address,
                )

    async def expected(self, rows: list[Delivery]) -> list[Delivery]:
        """The rows, with the files that they have to have where this is strict."""
        if not self._is_strict or not rows:
            return rows
        known = await self._checks.files([row.key for row in rows], by_person=True)
        return [replace(row, files=known.get(row.key, ())) for row in rows]

    async def note(self, delivery: Delivery, mail: MailObject) -> None:
        """The row was checked, and this is its message."""
        await self.take(delivery, [file.note for file in mail.files if file.note is not None])

    async def take(self, delivery: Delivery, notes: Iterable[FileNote]) -> None:
        """The row was checked, and these are its own files."""
        self._notes += [(delivery.key, note) for note in notes]
        if len(self._notes) >= _BATCH:
            await self.end()

    async def end(self) -> None:
        """Write what is not written yet."""
        notes, self._notes = self._notes, []
        known = await self._checks.files([key for key, _ in notes]) if notes else {}
        for key, note in notes:
            before = [file for file in known.get(key, ()) if file.entry == note.entry]
            if changed(note, before or None):
                self._changed += 1
                self._first_changed = self._first_changed or printable(os.fsdecode(note.path))
        await self._checks.note_files(notes, by_person=self._by_person)

    def notice(self) -> str:
        """Which files are not as they were in an earlier check, as a sentence; "": none."""
        if self._changed < 2:  # noqa: PLR2004  # none, or one
            one = f"{self._first_changed} has changed since its row was last checked."
            return one if self._changed else ""
        more = counted(self._changed - 1, "more file")
        return f"{self._first_changed} and {more} have changed since their rows were last checked."
