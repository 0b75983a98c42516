"""A path with wildcards in its file name: `letters/{{ id }}*.pdf` is the one file that matches.

``*`` stands for any characters, ``?`` for one; both are the campaign's own. A wildcard that comes
out of a row is refused: a cell that says ``*`` would choose somebody else's file. An accent
is a part of its letter, however the file's name has it: ``Jose*`` is not José's.
"""

from __future__ import annotations

import bisect
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from bulkmail.campaign.project import writings

_WILDCARDS = "*?"
_FILLED_IN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SHOWN = 3


class PatternRefused(ValueError):
    """No file, or more than one; the sentence says why."""


class FilePattern:
    """Finds the files of one entry. A folder is listed once, and again when it has changed."""

    def __init__(self, source: str, folders: Iterable[Path]) -> None:
        """`source` is the template; relative paths are looked up in `folders`, in their order."""
        self._wildcards = _count(_FILLED_IN.sub("", source))
        self._folders = tuple(folders)
        self._listings: dict[str, tuple[int, list[tuple[str, str]]]] = {}

    @property
    def has_wildcards(self) -> bool:
        """Whether there is anything to look up."""
        return self._wildcards > 0

    def find(self, text: str) -> str:
        """The path, relative as `text` is, of the one file that matches the rendered pattern.

        Raises `PatternRefused`; `OSError` where a folder cannot be listed.
        """
        if _count(text) > self._wildcards:
            raise PatternRefused(f"{text} has a wildcard out of the row in it")
        parent, name = os.path.split(text)
        if _count(parent):
            raise PatternRefused(f"{text} has a wildcard outside of the file's name")
        places = [(folder, own) for folder in self._folders for own in writings(parent)]
        for folder, own in places:
            found = self._matching(os.path.join(folder, own), name)  # noqa: PTH118  # for each row
            if len(found) > 1:
                shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
                raise PatternRefused(
                    f"{text} matches {len(found)} files, where one is meant: {shown}"
                )
            if found:
                return os.path.join(own, found[0])  # noqa: PTH118  # as above
        raise PatternRefused(f"no file matches {text}")

    def _matching(self, folder: str, name: str) -> list[str]:
        names = self._names(folder)
        name = unicodedata.normalize("NFC", name)
        first = min(at for mark in _WILDCARDS if (at := name.find(mark)) >= 0)
        prefix = name[:first]
        is_match = _matcher(name, first)
        found = []
        for number in range(bisect.bisect_left(names, (prefix,)), len(names)):
            candidate, written = names[number]
            if not candidate.startswith(prefix):
                break
            # As a shell has it: a hidden file is matched only by a pattern that says the dot.
            if is_match(candidate) and candidate[0] in {
                name[0],
                candidate.lstrip(".")[:1],
            }:
                found.append(written)
        return found

    def _names(self, folder: str) -> list[tuple[str, str]]:
        """The files' names, composed, each with what it is written as; in order."""
        try:
            changed_at = os.stat(folder).st_mtime_ns  # noqa: PTH116  # for each row
        except FileNotFoundError:
            return []
        known = self._listings.get(folder)
        if known is None or known[0] != changed_at:
            with os.scandir(folder) as entries:
                known = (
                    changed_at,
                    sorted((unicodedata.normalize("NFC", e.name), e.name) for e in entries),
                )
            self._listings[folder] = known
        return known[1]


def _count(text: str) -> int:
    return sum(map(text.count, _WILDCARDS))


def _matcher(name: str, first: int) -> Callable[[str], object]:
    """Whether a name that has what stands before the `first` wildcard matches all of it."""
    suffix = name[first + 1 :]
    if name[first] == "*" and not _count(suffix):
        # The usual case, many times quicker than a new expression for each row.
        least = len(name) - 1
        return lambda candidate: len(candidate) >= least and candidate.endswith(suffix)
    return re.compile("".join(map(_as_regex, name)), re.DOTALL).fullmatch


def _as_regex(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character) or re.escape(character)
