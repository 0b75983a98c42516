"""`pdf: letter.typ`: a PDF made for each row of a typst template (extra `pdf`).

The row goes in as data, never as typst source: `#let data = json(bytes(sys.inputs.data))` has every
column, `campaign`, and `now` (ISO 8601).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.text_file import displayed
from bulkmail.errors import Fault
from bulkmail.message.extra import MissingExtra, extra
from bulkmail.message.files.part import file_part
from bulkmail.message.files.reader import FileBody, FileReader
from bulkmail.message.frame import Part
from bulkmail.message.pdf.typst_pool import PdfRefused, TypstPool
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates

_SEPARATORS = str.maketrans("/\\", "__")


class PdfLetter:
    """One entry of `attachments:` that is made, compiled."""

    #: It is nobody else's, and no file that could change.
    shared_path = None
    owns = False

    def __init__(
        self,
        campaign: Campaign,
        templates: Templates,
        name: str,
        loc: Loc,
        *,
        filename: Renderer | None,
        pool: TypstPool,
    ) -> None:
        """What is wrong is noted in `templates`."""
        self._root = campaign.root
        self._path = _located(campaign, templates, name, loc)
        self._filename = filename
        self._pool = pool
        self._default_name = f"{name.rpartition('/')[2].removesuffix('.typ')}.pdf"

    async def part(self, row: Row, reader: FileReader) -> Part | None:
        """The part for `row`; None when there is a fault, which `row` then holds."""
        del reader
        filename = self._default_name if self._filename is None else self._filename.line(row)
        if filename is None or self._path is None:
            return None
        now: datetime = row.variables["now"]
        try:
            pdf, remark = await self._pool.pdf(
                self._path, self._root, _fields(row), int(now.timestamp())
            )
        except PdfRefused as error:
            row.add(Fault(path=displayed(self._path), message=str(error)))
            return None
        filename = filename.translate(_SEPARATORS) or self._default_name
        return file_part(filename, "application/pdf", FileBody.of(pdf), remark=remark)


def _located(campaign: Campaign, templates: Templates, name: str, loc: Loc) -> Path | None:
    try:
        extra("typst", "a PDF of a typst template", "pdf")
    except MissingExtra as error:
        templates.faults.append(campaign.fault(loc, str(error)))
        return None
    path = templates.files.locate(name)
    if path is None:
        templates.faults.append(campaign.fault(loc, templates.files.problem(name)))
        return None
    # It is among the sources then, and a change of it is seen.
    templates.files.read(path)
    return path


def _fields(row: Row) -> str:
    fields = {**row.variables, "now": row.variables["now"].isoformat()}
    fields.pop("recipient", None)
    return json.dumps(fields, ensure_ascii=False, default=str)
