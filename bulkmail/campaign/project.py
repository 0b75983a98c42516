"""A mail project: its root, its shared file, and which files it may use (the contract, 1)."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bulkmail.address import control_character
from bulkmail.campaign.nearest import nearest

#: Among more files none is looked for that was meant: they are the rows' own, and it takes long.
MANY = 1000
#: The project's file, at its root.
PROJECT_FILE = "bulkmail.yaml"
TEMPLATES_FOLDER = "templates"


def project_root(campaign_file: Path) -> Path:
    """The nearest folder, upwards, with bulkmail.yaml or templates/; else the file's own folder."""
    own = Path(os.path.abspath(campaign_file)).parent  # noqa: PTH100  # a symlink stays where it lies
    return nearest_project(own) or own


def nearest_project(folder: Path) -> Path | None:
    """The nearest folder, `folder` or above it, that is a project's root."""
    for candidate in (folder, *folder.parents):
        if (candidate / PROJECT_FILE).is_file() or (candidate / TEMPLATES_FOLDER).is_dir():
            return candidate
    return None


class PathRefused(ValueError):
    """A path that cannot be used; the sentence says why."""


class NoSuchFile(PathRefused):
    """A path at which nothing is."""


class FoundFile(NamedTuple):
    """A file that was looked up."""

    #: As it was found; absolute where the folders are.
    path: str
    #: Its one name, links and ``..`` followed.
    real: str


def resolve_path(text: str, folders: Iterable[Path], allowed: Iterable[Path]) -> Path:
    """The file that `text` means, as `find_file` finds it."""
    return Path(find_file(text, folders, allowed).path)


def find_file(text: str, folders: Iterable[Path], allowed: Iterable[Path]) -> FoundFile:
    """The file that `text` means: looked up in `folders`, in their order.

    Raises `PathRefused` when it is missing, no file, or really lies outside of `allowed`
    (symlinks and ``..`` followed).
    """
    if not text.strip():
        raise PathRefused("is empty, where a file's name belongs")
    if unsafe := control_character(text):
        raise PathRefused(f"{unsafe}, in the name of a file")
    names = writings(text)
    candidates = [os.path.join(folder, name) for folder in folders for name in names]  # noqa: PTH118  # for each row
    found, mode = _first(candidates)
    looked_at = candidates if found is None else (found,)
    real = next((at for path in looked_at if _lies_in(at := _real(path, mode), allowed)), None)
    if real is None:
        raise PathRefused(
            f"{text} lies outside of the project: if it is meant, list its folder in `allow_paths`"
        )
    if found is None:
        raise NoSuchFile(f"{text} does not exist")
    # What it is itself was seen already; a link may lead anywhere.
    if not (stat.S_ISREG(mode) or (stat.S_ISLNK(mode) and os.path.isfile(found))):  # noqa: PTH113
        kind = "a folder, where a file belongs" if os.path.isdir(found) else "not a file"  # noqa: PTH112
        raise PathRefused(f"{text} is {kind}")
    return FoundFile(found, real)


def nearest_file(text: str, folders: Iterable[Path]) -> str | None:
    """What is nearly called so where `text` was looked up; None where nothing is, or too much."""
    meant = Path(text)
    names: list[str] = []
    for folder in folders:
        with suppress(OSError):
            found = list(islice((folder / meant.parent).iterdir(), MANY + 1))
            names += [path.name for path in found if len(found) <= MANY and path.is_file()]
    # Another file of that kind, or the same as another kind.
    alike = [name for name in names if _is_alike(Path(name), meant)]
    near = nearest(meant.name, alike)
    return near and str(meant.parent / near)


def _is_alike(one: Path, other: Path) -> bool:
    return one.suffix.lower() == other.suffix.lower() or one.stem == other.stem


def writings(name: str) -> tuple[str, ...]:
    """The name as it is; behind it, where it has accents, as others would have written the file.

    Some systems part a letter from its accents (macOS did), and what they packed keeps that, be it
    put into a folder that was made elsewhere.
    """
    if name.isascii():
        return (name,)
    folder, file = os.path.split(name)
    return tuple(os.path.join(one, other) for one in _forms(folder) for other in _forms(file))  # noqa: PTH118  # for each row


def _forms(name: str) -> Iterable[str]:
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return dict.fromkeys(forms)


def real_path(path: str) -> str:
    """A file's one name, as in `FoundFile`; of one that is not there, too."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return os.path.realpath(path)
    return _real(path, mode)


@lru_cache(maxsize=64)
def _real_root(root: Path) -> tuple[str, str]:
    """Where it really lies, and what the paths of all that is in it begin with."""
    real = os.path.realpath(root)
    return real, real.rstrip(os.sep) + os.sep


def _real(path: str, mode: int) -> str:
    """`os.path.realpath`, quick for the many files of one folder; `mode` as lstat says."""
    folder, name = os.path.split(path)
    if name in {os.curdir, os.pardir, ""} or stat.S_ISLNK(mode):
        return os.path.realpath(path)
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return os.path.realpath(path)
    return os.path.join(_real_folder(folder, status.st_dev, status.st_ino), name)  # noqa: PTH118


@lru_cache(maxsize=256)
def _real_folder(folder: str, device: int, inode: int) -> str:
    """Where it really lies; another folder in its place, behind a link too, is looked up anew."""
    del device, inode
    return os.path.realpath(folder)


def _first(paths: Iterable[str]) -> tuple[str | None, int]:
    """The first that is there, and its `st_mode`, a link's own; 0 where none is."""
    for path in paths:
        try:
            return path, os.lstat(path).st_mode  # for each row
        except (OSError, ValueError):
            continue
    return None, 0


def _lies_in(real: str, allowed: Iterable[Path]) -> bool:
    for folder in allowed:
        root, beginning = _real_root(folder)
        if real == root or real.startswith(beginning):
            return True
    return False
