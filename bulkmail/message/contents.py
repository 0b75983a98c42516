"""What a message is made of below its header: texts, images in them, attachments."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from bulkmail.campaign.load import Campaign
from bulkmail.message.attachments import attachments
from bulkmail.message.bodies import Bodies
from bulkmail.message.file_reader import FileReader
from bulkmail.message.frame import Frame, Part
from bulkmail.message.row import Row
from bulkmail.message.shown_images import ShownImages
from bulkmail.message.templates import Templates


class Contents:
    """The campaign's bodies and files, compiled; what is wrong with them is in the templates."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        self._reader = FileReader()
        self._bodies = Bodies(campaign, templates, ShownImages(campaign, self._reader))
        self._files, self._images = attachments(campaign, templates)

    @property
    def shared_paths(self) -> list[Path]:
        """The files that are the same in every message."""
        return [file.shared_path for file in self._files if file.shared_path is not None]

    async def of(self, row: Row) -> tuple[Frame, list[Part]]:
        """The parts for `row` in the frame that holds them; fewer when `row` holds a fault."""
        bodies, images = await self._bodies.parts(row)
        parts = [*bodies, *images]
        for file in self._files:
            part = await file.part(row, self._reader)
            if part is not None:
                parts.append(part)
        shown = len(images) + self._images
        return _frame(self._bodies.count, shown, len(self._files) - self._images), parts


@lru_cache(maxsize=256)
def _frame(bodies: int, inline: int, attachments: int) -> Frame:
    """Compiled once: most campaigns have one shape, or few."""
    return Frame(bodies=bodies, inline=inline, attachments=attachments)
