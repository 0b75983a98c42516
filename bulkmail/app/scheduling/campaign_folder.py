"""The campaigns of a project that have a schedule, as their files are now.

Files are looked at by size, time and inode: new ones, changed ones and those that are gone are
seen at the next look, on every file system.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from bulkmail.campaign.find import campaigns_around
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.project import PROJECT_FILE
from bulkmail.campaign.text_file import is_special
from bulkmail.errors import ConfigurationError
from bulkmail.report.wording import counted
from bulkmail.schedule.timetable import Timetable, timetable
from bulkmail.value_class import value_class

#: What a file looks like from outside; None: it is not there.
_Look = tuple[int, int, int] | None
#: What is read of a file to see what it is.
_LONGEST_LINE, _MOST_LINES = 4096, 1000


@value_class
class Scheduled:
    """A campaign that is due at some time, and when."""

    campaign: Campaign
    timetable: Timetable


@value_class
class _Read:
    """A file as it was read."""

    look: tuple[_Look, _Look]
    #: None: it has no schedule, or an error.
    scheduled: Scheduled | None = None
    error: ConfigurationError | None = None


class CampaignFolder:
    """`campaigns/` of the project around a folder."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._files: dict[Path, _Read] = {}
        self._has_looked = False
        #: Why the folder itself cannot be read by now.
        self._obstacle = ""

    def look(self) -> list[ConfigurationError]:
        """Read what is new or changed; what is wrong with that.

        Raises `ConfigurationError` where the folder may not be read at first; later on, what was
        read holds until it may.
        """
        try:
            paths = campaigns_around(self._where).values()
        except ConfigurationError as error:
            if not self._has_looked:
                raise
            is_told, self._obstacle = str(error) == self._obstacle, str(error)
            return [] if is_told else [error]
        self._has_looked, self._obstacle = True, ""
        found: dict[Path, _Read] = {}
        errors = []
        names: dict[str, Path] = {}
        for path in paths:
            before = self._files.get(path)
            look = _look(path), _look(path.parent.parent / PROJECT_FILE)
            read = before if before is not None and before.look == look else _read(path, look)
            if read.scheduled is not None:
                read = _unless_taken(read, names, path)
            if read.error is not None and read is not before and not _was_told(read, before):
                errors.append(read.error)
            found[path] = read
        self._files = found
        return errors

    def forget(self) -> None:
        """Read every file again at the next look."""
        self._files.clear()

    def __iter__(self) -> Iterator[Scheduled]:
        return iter([read.scheduled for read in self._files.values() if read.scheduled is not None])

    def summary(self) -> str:
        """For how many campaigns there is work, and where to see when it is due."""
        if count := sum(1 for _ in self):
            return f" for {counted(count, 'campaign')}:  bulkmail schedule next"
        return "; no campaign has a `schedule` yet."

    def named(self, name: str) -> Scheduled | None:
        """The campaign of that name; None: there is none with a schedule."""
        return next((found for found in self if found.campaign.name == name), None)


def _was_told(read: _Read, before: _Read | None) -> bool:
    return before is not None and before.look == read.look and before.error is not None


def _look(path: Path) -> _Look:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path, look: tuple[_Look, _Look]) -> _Read:
    if _holds_a_list(path):
        return _Read(look)
    try:
        campaign = Campaign.load(path)
    except ConfigurationError as error:
        # With a schedule or without: the key may be what is misspelt, and nothing would go out.
        return _Read(look, error=error)
    found = timetable(campaign.model.schedule)
    return _Read(look, None if found is None else Scheduled(campaign, found))


def _holds_a_list(path: Path) -> bool:
    """Whether that is a list, as of recipients, which may lie beside the campaign.

    Only its beginning is read: it may be long.
    """
    if is_special(path):
        return False
    try:
        with path.open("rb") as file:
            lines = (file.readline(_LONGEST_LINE) for _ in range(_MOST_LINES))
            for line in lines:
                text = line.removeprefix(codecs.BOM_UTF8).strip()
                if text and not text.startswith((b"#", b"---", b"%")):
                    return text == b"-" or text.startswith((b"- ", b"["))
    except OSError:
        return False
    return False


def _unless_taken(read: _Read, names: dict[str, Path], path: Path) -> _Read:
    """A second file of the same name would go out as the first one: it is at fault."""
    if read.scheduled is None:
        return read
    campaign = read.scheduled.campaign
    first = names.setdefault(campaign.name, path)
    if first == path:
        return read
    fault = campaign.fault(
        ("name",), f"{first.name} is called `{campaign.name}` as well: one of them needs another"
    )
    return _Read(read.look, error=ConfigurationError(fault))
