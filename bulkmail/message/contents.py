"""What a message is made of below its header: texts, images in them, attachments."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bulkmail.campaign.load import Campaign
from bulkmail.fate import FileNote
from bulkmail.message.bodies import Bodies, alternatives
from bulkmail.message.files.attachments import Attachment, attachments, inline_images
from bulkmail.message.files.reader import FileReader
from bulkmail.message.files.shown_images import ShownImages, may_show_images
from bulkmail.message.frame import Frame, Part
from bulkmail.message.row import Row
from bulkmail.message.templates.templates import Templates

if TYPE_CHECKING:
    from bulkmail.message.invitation import Invitation
    from bulkmail.message.pdf.letter import PdfLetter


class Contents:
    """The campaign's bodies and files, compiled; what is wrong with them is in the templates."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        self._reader = FileReader()
        self._shown = ShownImages(campaign, templates, self._reader)
        self._bodies = Bodies(campaign, templates, self._shown)
        self._inline = inline_images(campaign, templates)
        self._files = attachments(campaign, templates)
        self._invitation = _invitation(campaign, templates)
        self._has_files = bool(self._inline or self._files or self._invitation)

    @property
    def shared_paths(self) -> list[Path]:
        """The files that are the same in every message."""
        files = (*self._inline, *self._files)
        paths = [file.shared_path for file in files if file.shared_path is not None]
        return [*paths, *self._shown.shared_paths]

    @property
    def has_own_files(self) -> bool:
        """Whether a row's attachments are files that other rows do not have."""
        return any(file.owns for file in self._files)

    def note_owner(self, note: FileNote, key: str, row: int, address: str) -> bool:
        """A row has that file; whether it may."""
        may_have = [
            file.note_owner(note.path, key, row, address)
            for file in self._files
            if isinstance(file, Attachment) and file.entry == note.entry
        ]
        return all(may_have)

    async def of(self, row: Row) -> tuple[Frame, list[Part]]:
        """The parts for `row` in the frame that holds them; fewer when `row` holds a fault."""
        text, page = self._bodies.texts(row)
        images: list[Part] = []
        if page is not None and may_show_images(page):
            page, images = await self._bodies.with_images(page, row)
        bodies = alternatives(text, page)
        if not self._has_files:
            return _frame(len(bodies), len(images), 0), [*bodies, *images]
        images += [part for file in self._inline if (part := await self._part(file, row))]
        files = [part for file in self._files if (part := await self._part(file, row))]
        if self._invitation is not None and (invited := self._invitation.parts(row)):
            bodies.append(invited[0])
            files.append(invited[1])
        return _frame(len(bodies), len(images), len(files)), [*bodies, *images, *files]

    async def _part(self, file: Attachment | PdfLetter, row: Row) -> Part | None:
        return await file.part(row, self._reader)


def _invitation(campaign: Campaign, templates: Templates) -> Invitation | None:
    """The campaign's, if it has one; there is no second."""
    for number, model in enumerate(campaign.model.attachments):
        if model.ics is not None:
            from bulkmail.message.invitation import Invitation  # noqa: PLC0415  # for few

            loc = ("attachments", number)
            name = templates.inline(model.filename, (*loc, "filename")) if model.filename else None
            return Invitation(campaign, templates, model.ics, (*loc, "ics"), filename=name)
    return None


@lru_cache(maxsize=256)
def _frame(bodies: int, inline: int, attachments: int) -> Frame:
    """Compiled once: most campaigns have one shape, or few."""
    return Frame(bodies=bodies, inline=inline, attachments=attachments)
