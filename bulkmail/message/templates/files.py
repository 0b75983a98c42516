"""Where templates are looked up: `templates/` at the root, then beside the campaign.

Names are relative, with `/`. `..`, absolute names and symlinks that lead out of the project are
refused, unless the folder they lead to is in `allow_paths`. Files are UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import jinja2

from bulkmail.campaign.nearest import nearest
from bulkmail.campaign.text_file import displayed, text_chunks
from bulkmail.errors import ConfigurationError, Fault

#: A language's tag as far as it is used for templates: zh, zh-CN, zh-Hans-CN (RFC 5646, 2.1).
_TAG = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
#: Octets: more than a text may have in the end. A bound for a file that is not what was meant.
MAX_SIZE = 64 << 20
#: What a template's name may end with, behind the suffix of what it makes.
TEMPLATE_SUFFIXES = (".j2", ".jinja", ".jinja2", ".jj2")


class TemplateFiles(jinja2.BaseLoader):
    """A jinja2 loader that knows why a name is not found, and keeps what it has read."""

    def __init__(self, folders: Sequence[Path], allowed: Sequence[Path]) -> None:
        """`folders` in order of preference; what they hold may lead into `allowed` alone.

        The first of these is the project's root, inside of which a name need not lead elsewhere.
        Raises `ConfigurationError` where one of `folders` may not be read.
        """
        self._root, *self._outside = (folder.resolve() for folder in allowed)
        self.folders = tuple(folder for folder in folders if folder.is_dir())
        for folder in self.folders:
            if not os.access(folder, os.R_OK | os.X_OK):
                message = "this folder cannot be read: Permission denied"
                raise ConfigurationError(Fault(path=displayed(folder), message=message))
        #: Each source that was read, by its file.
        self.sources: dict[Path, str] = {}

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """A template's source. Raises `TemplateNotFound`, `ConfigurationError` when unreadable."""
        del environment
        path = self.locate(template)
        if path is None:
            raise jinja2.TemplateNotFound(template, self.problem(template))
        # Compiled once a campaign: a file that changes under way changes nothing in this run.
        return self.read(path), str(path), lambda: True

    def read(self, path: Path) -> str:
        """A file's text. Raises `ConfigurationError` when it is not UTF-8, or cannot be read."""
        if path not in self.sources:
            if path.stat().st_size > MAX_SIZE:
                message = f"larger than {MAX_SIZE >> 20} MiB: this is no template"
                raise ConfigurationError(Fault(path=displayed(path), message=message))
            self.sources[path] = "".join(text_chunks(path, advice="save it as UTF-8"))
        return self.sources[path]

    def locate(self, name: str) -> Path | None:
        """The template's file; None where there is none, or none that may be read."""
        if not _is_name(name):
            return None
        allowed = self._outside if _leaves(name) else [self._root, *self._outside]
        for folder in self.folders:
            path = folder / name
            if path.is_file():
                real = path.resolve()
                return path if any(real.is_relative_to(place) for place in allowed) else None
        return None

    def variants(self, name: str) -> dict[str, str]:
        """The names of a template's variants by language, by tag in lower case."""
        parent, _, last = name.rpartition("/")
        stem, tail = _stem_and_tail(last)
        pattern = re.compile(rf"{re.escape(stem)}\.({_TAG}){re.escape(tail)}", re.ASCII)
        found: dict[str, str] = {}
        for folder in self.folders if _is_name(name) else ():
            beside = folder / parent
            for path in sorted(beside.iterdir()) if beside.is_dir() else ():
                match = pattern.fullmatch(path.name)
                variant = f"{parent}/{path.name}" if parent else path.name
                if match and self.locate(variant):
                    found.setdefault(match[1].lower().replace("_", "-"), variant)
        return found

    def problem(self, name: str) -> str:
        """Why `locate` finds nothing, in one sentence."""
        is_there = _is_name(name) and any((folder / name).is_file() for folder in self.folders)
        if is_there or not _is_name(name) or (_leaves(name) and not self._outside):
            return (
                f"the template `{name}` leads out of the project's folders: if it is meant, list "
                "its folder in `allow_paths`"
            )
        if any((folder / name).is_dir() for folder in self.folders):
            return f"the template `{name}` is a folder"
        if any(os.path.lexists(folder / name) for folder in self.folders):
            return f"the template `{name}` is no file: a pipe, a device, or a link to nothing"
        places = " or ".join(f"{displayed(folder)}/" for folder in self.folders)
        near = nearest(name, self._names())
        hint = f". Did you mean `{near}`?" if near else ""
        return f"the template `{name}` is not in {places}{hint}"

    def files(self) -> list[Path]:
        """Every file in `templates/`: what a name made at render time may load."""
        folders = [folder for folder in self.folders if folder.name == "templates"]
        return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())

    def _names(self) -> list[str]:
        beside = [path.name for folder in self.folders for path in folder.iterdir()]
        return [*beside, *(p.relative_to(self.folders[0]).as_posix() for p in self.files())]


def _is_name(name: str) -> bool:
    return bool(PurePosixPath(name).parts) and not set(name) & {"\\", "\0"}


def _leaves(name: str) -> bool:
    """Whether it leads out of the folder it is looked up in, by itself."""
    parts = PurePosixPath(name).parts
    return ".." in parts or parts[0].startswith("/")


def _stem_and_tail(name: str) -> tuple[str, str]:
    """``offer``, ``.html.j2``: a variant has its language between the two."""
    stem = name
    for suffix in TEMPLATE_SUFFIXES:
        stem = stem.removesuffix(suffix)
    stem = stem.rpartition(".")[0] or stem
    return stem, name[len(stem) :]
