"""Where templates are looked up: `templates/` at the root, then beside the campaign, never outside.

Names are relative, with `/`; `..`, absolute names and symlinks that lead out of the project are
refused. Files are UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import jinja2

from bulkmail.campaign.nearest import nearest
from bulkmail.campaign.text_file import displayed, text_chunks


class TemplateFiles(jinja2.BaseLoader):
    """A jinja2 loader that knows why a name is not found, and keeps what it has read."""

    def __init__(self, root: Path, folders: Sequence[Path]) -> None:
        """`folders` in order of preference; what they hold may not lead out of `root`."""
        self._root = root.resolve()
        self.folders = tuple(folder for folder in folders if folder.is_dir())
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
            self.sources[path] = "".join(text_chunks(path, advice="save it as UTF-8"))
        return self.sources[path]

    def locate(self, name: str) -> Path | None:
        """The template's file; None where there is none, or none that may be read."""
        if _leaves(name):
            return None
        for folder in self.folders:
            path = folder / name
            if path.is_file():
                return path if path.resolve().is_relative_to(self._root) else None
        return None

    def problem(self, name: str) -> str:
        """Why `locate` finds nothing, in one sentence."""
        if _leaves(name) or any((folder / name).is_file() for folder in self.folders):
            return f"the template `{name}` leads out of the project's folders"
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


def _leaves(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or ".." in parts or parts[0] == "/" or "\\" in name or "\0" in name
