"""Which file an entry of `attachments:` or `inline:` means: one for all, or each row's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bulkmail.address import printable
from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.project import FoundFile, real_path
from bulkmail.errors import ConfigurationError
from bulkmail.fate import FileNote
from bulkmail.message.files.owners import FileOwners
from bulkmail.message.files.pattern import FilePattern, PatternRefused
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.value_class import value_class

if TYPE_CHECKING:
    from bulkmail.message.files.must_contain import MustContain

#: How a row whose file was changed on purpose gets it.
WAY_OUT = ": run `bulkmail check`, then `bulkmail retry`, where that is meant"


@value_class(kw_only=True)
class Ownership:
    """How a row's own file is told from the others'."""

    owners: FileOwners
    #: Whether no other row may have the same file.
    is_unique: bool


class FileChoice:
    """A path that is a template, maybe with wildcards in its file name."""

    def __init__(
        self,
        campaign: Campaign,
        loc: Loc,
        path: Renderer,
        source: str,
        *,
        ownership: Ownership | None = None,
        must_contain: MustContain | None = None,
    ) -> None:
        """Raises `ConfigurationError` where the file for all is not there."""
        self._campaign = campaign
        self._below_root = os.path.join(campaign.root, "")  # noqa: PTH118  # with its separator
        self._loc = loc
        self._path = path
        self._pattern = FilePattern(source, (campaign.folder, campaign.root))
        self._ownership = ownership
        self._must_contain = must_contain
        #: The file, where it is the same for all rows.
        self.shared_path: Path | None = None
        if path.constant is not None:
            self.shared_path = Path(self._find(path.constant, None).path)

    def of(self, row: Row) -> Path | None:
        """The file for `row`; None when there is none it may have, and `row` holds the fault."""
        path = self.shared_path or self._own(row)
        if path is None:
            return None
        if self._must_contain is not None and not self._must_contain.is_named_so(row, path):
            return None
        return path

    def known_as(self, path: Path) -> bytes:
        """The path as a note has it: from the project root, where it lies below that."""
        return known_as(path, self._below_root)

    @property
    def owns(self) -> bool:
        """Whether each row has a file of its own."""
        return self._ownership is not None and self.shared_path is None

    def note_owner(self, path: bytes, key: str, row: int, address: str) -> bool:
        """A row has that file, whose path is as `known_as` gives it; whether it may."""
        if self._ownership is None or self.shared_path is not None:
            return True
        other = self._ownership.owners.other(
            key,
            row,
            address,
            real_path(os.path.join(self._campaign.root, os.fsdecode(path))),  # noqa: PTH118  # for each row
            is_unique=self._ownership.is_unique,
        )
        return other is None

    def _own(self, row: Row) -> Path | None:
        text = self._path.line(row)
        if text is None:
            return None
        try:
            found = self._find(text, row.delivery.row)
            problem = self._problem(row, found.real)
        except ConfigurationError as error:
            row.add(*error.faults)
            return None
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
        if problem:
            row.add(self._path.fault(f"{text} {problem}"))
            return None
        return Path(found.path)

    def _find(self, text: str, row: int | None) -> FoundFile:
        if self._pattern.has_wildcards:
            try:
                text = self._pattern.find(text)
            except PatternRefused as refusal:
                fault = self._campaign.fault(self._loc, printable(str(refusal)), row=row)
                raise ConfigurationError(fault) from refusal
        return self._campaign.find(text, loc=self._loc, row=row)

    def _problem(self, row: Row, real: str) -> str | None:
        if self._ownership is None:
            return None
        return self._ownership.owners.problem(
            row.delivery.key,
            row.delivery.row,
            row.delivery.address,
            real,
            is_unique=self._ownership.is_unique,
        )


def known_as(path: Path, below_root: str) -> bytes:
    """A path as a note has it; `below_root` is the project's root with a separator behind it."""
    return os.fsencode(os.fspath(path).removeprefix(below_root))


def changed(note: FileNote, checked: Iterable[FileNote] | None) -> str | None:
    """What is wrong with a row's file, as it is now, against what was checked; None: nothing."""
    if checked is None:
        return None
    known = next((file for file in checked if file.entry == note.entry), None)
    if known is None:
        return f"was not there when the row was checked{WAY_OUT}"
    if known.path != note.path:
        return f"is another file than was checked, {_shown(known.path)}{WAY_OUT}"
    return None if known.sha256 == note.sha256 else f"has changed after it was checked{WAY_OUT}"


def _shown(path: bytes) -> str:
    return printable(os.path.basename(os.fsdecode(path)))  # noqa: PTH119  # octets, no Path
