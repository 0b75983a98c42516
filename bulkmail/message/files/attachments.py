"""The files of a message: those shared by all rows, encoded once, and each row's own.

A path is a template; where nothing is filled in, the file is the same for every row. What few
campaigns ask for (`pdf:`, `must_contain:`) is imported for those alone.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.media_type import is_media_type
from bulkmail.campaign.models.attachment import AttachmentModel
from bulkmail.errors import ConfigurationError
from bulkmail.fate import FileNote
from bulkmail.message.files.choice import FileChoice, Ownership, changed
from bulkmail.message.files.media_type import guessed_type
from bulkmail.message.files.owners import FileOwners
from bulkmail.message.files.part import file_part
from bulkmail.message.files.reader import FileBody, FileReader
from bulkmail.message.frame import Part
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates

if TYPE_CHECKING:
    from bulkmail.message.files.must_contain import MustContain
    from bulkmail.message.pdf.letter import PdfLetter
    from bulkmail.message.pdf.typst_pool import TypstPool

_SEPARATORS = str.maketrans("/\\", "__")


class Attachment:
    """One entry of `attachments:` or `inline:`, compiled."""

    def __init__(
        self,
        choice: FileChoice,
        path: Renderer,
        *,
        filename: Renderer | None = None,
        media_type: Renderer | None = None,
        entry: str = "",
        content_id: str = "",
        must_contain: MustContain | None = None,
    ) -> None:
        #: Its name in the campaign: ``attachments[1]``.
        self.entry = entry
        self._choice = choice
        self._path = path
        self._filename = filename
        self._media_type = media_type
        self._content_id = content_id
        self._must_contain = must_contain
        self._shared: dict[str, FileBody] = {}
        #: Rows that are composed at once wait for the first one's reading of a shared file.
        self._reading = asyncio.Lock()

    @property
    def shared_path(self) -> Path | None:
        """The file, where it is the same for all rows."""
        return self._choice.shared_path

    @property
    def owns(self) -> bool:
        """Whether each row has a file of its own."""
        return self._choice.owns

    def note_owner(self, path: bytes, key: str, row: int, address: str) -> bool:
        """A row has that file, whose path is as a note has it; whether it may."""
        return self._choice.note_owner(path, key, row, address)

    async def part(self, row: Row, reader: FileReader) -> Part | None:
        """The part for `row`; None when there is a fault, which `row` then holds."""
        path = self._choice.of(row)
        if path is None:
            return None
        filename = self._name(row, path)
        media_type = self._type(row, filename)
        if filename is None or media_type is None:
            return None
        file = await self._body(row, path, media_type.partition("/")[0].lower(), reader)
        if file is None:
            return None
        note = None
        if self.shared_path is None:
            note = FileNote(entry=self.entry, path=self._choice.known_as(path), sha256=file.sha256)
            if problem := changed(note, row.delivery.files):
                row.add(self._path.fault(f"{path.name} {problem}"))
                return None
        remark = self._remark(row, path, file)
        if remark is None:
            return None
        return file_part(
            filename, media_type, file, content_id=self._content_id, note=note, remark=remark
        )

    def _remark(self, row: Row, path: Path, file: FileBody) -> str | None:
        """What to say of the file's text; None when that is a fault, which `row` then holds."""
        # What is in the row's notes was read when the row was checked.
        if self._must_contain is None or row.delivery.files:
            return ""
        says_so, remark = self._must_contain.says_so(row, path, file)
        return remark if says_so else None

    def _name(self, row: Row, path: Path) -> str | None:
        """The name to show. A separator in it becomes ``_``: readers cut a name at the last one."""
        if self._filename is None:
            return path.name
        text = self._filename.line(row)
        return text if text is None else text.translate(_SEPARATORS) or path.name

    def _type(self, row: Row, filename: str | None) -> str | None:
        if self._media_type is None:
            return guessed_type(filename or "")
        text = self._media_type.line(row)
        if text is not None and not is_media_type(text):
            row.add(self._media_type.fault(f"`{text}` is no media type such as application/pdf"))
            return None
        return text

    async def _body(self, row: Row, path: Path, kind: str, reader: FileReader) -> FileBody | None:
        """The file's body; a shared one is read by the first row and kept."""
        if self.shared_path is None:
            return await self._read(row, path, kind, reader)
        if (kept := self._shared.get(kind)) is not None:
            return kept
        async with self._reading:
            file = self._shared.get(kind) or await self._read(row, path, kind, reader)
            if file is not None:
                self._shared[kind] = file
            return file

    async def _read(self, row: Row, path: Path, kind: str, reader: FileReader) -> FileBody | None:
        try:
            return await reader.read(path, kind, at_once=row.is_alone)
        except OSError as error:
            row.add(self._path.fault(f"{path.name} cannot be read: {error.strerror or error}"))
        except ValueError as error:
            row.add(self._path.fault(f"{path.name} {error}"))
        return None


def inline_images(campaign: Campaign, templates: Templates) -> list[Attachment]:
    """The entries of `inline:`. What is wrong with them is noted in `templates`."""
    compiler = _Compiler(campaign, templates)
    images = [compiler.image(name, path) for name, path in campaign.model.inline.items()]
    return [image for image in images if image is not None]


def attachments(campaign: Campaign, templates: Templates) -> list[Attachment | PdfLetter]:
    """The entries of `attachments:`, but for invitations. Faults are noted in `templates`."""
    compiler = _Compiler(campaign, templates)
    files = (
        compiler.file(number, model) for number, model in enumerate(campaign.model.attachments)
    )
    return [file for file in files if file is not None]


class _Compiler:
    """Compiles entries; what is wrong with them is noted in the templates."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        self._campaign = campaign
        self._templates = templates

    @cached_property
    def _owners(self) -> FileOwners:
        """Those of all entries: megabytes, and few campaigns have files of each row's own."""
        return FileOwners()

    @cached_property
    def _pool(self) -> TypstPool:
        """One for all entries."""
        from bulkmail.message.pdf.typst_pool import TypstPool  # noqa: PLC0415

        return TypstPool()

    def image(self, name: str, path: str) -> Attachment | None:
        loc = ("inline", name)
        renderer = self._templates.inline(path, loc)
        choice = self._choice(loc, renderer, path)
        return (
            Attachment(choice, renderer, entry=f"inline.{name}", content_id=name)
            if choice
            else None
        )

    def file(self, number: int, model: AttachmentModel) -> Attachment | PdfLetter | None:
        def optional(text: str | None, key: str) -> Renderer | None:
            loc = "attachments", number, key
            return self._templates.inline(text, loc) if text else None

        if model.pdf is not None:
            from bulkmail.message.pdf.letter import PdfLetter  # noqa: PLC0415

            return PdfLetter(
                self._campaign,
                self._templates,
                model.pdf,
                ("attachments", number, "pdf"),
                filename=optional(model.filename, "filename"),
                pool=self._pool,
            )
        if model.path is None:
            return None
        loc = "attachments", number, "path"
        path = self._templates.inline(model.path, loc)
        contained = optional(model.must_contain, "must_contain")
        must_contain = None if contained is None else _must_contain(contained)
        is_shared = path.constant is not None
        choice = self._choice(
            loc,
            path,
            model.path,
            ownership=None if is_shared else Ownership(owners=self._owners, is_unique=model.unique),
            must_contain=must_contain,
        )
        if choice is None:
            return None
        return Attachment(
            choice,
            path,
            entry=f"attachments[{number}]",
            filename=optional(model.filename, "filename"),
            media_type=optional(model.type, "type"),
            must_contain=must_contain,
        )

    def _choice(
        self,
        loc: Loc,
        path: Renderer,
        source: str,
        *,
        ownership: Ownership | None = None,
        must_contain: MustContain | None = None,
    ) -> FileChoice | None:
        try:
            return FileChoice(
                self._campaign,
                loc,
                path,
                source,
                ownership=ownership,
                must_contain=must_contain,
            )
        except ConfigurationError as error:
            self._templates.faults += error.faults
            return None


def _must_contain(renderer: Renderer) -> MustContain:
    from bulkmail.message.files.must_contain import MustContain  # noqa: PLC0415

    return MustContain(renderer)
