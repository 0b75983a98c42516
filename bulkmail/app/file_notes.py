"""Rows' own files, kept in the ledger as they were when their rows were checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bulkmail.app.channel import AnyComposer
from bulkmail.fate import Delivery, FileNote
from bulkmail.ledger import Checks
from bulkmail.message.mail_object import MailObject

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
        await self._checks.note_files(notes, by_person=self._by_person)
