"""A campaign by its path or its name, as commands take it."""

from __future__ import annotations

import os
from pathlib import Path

from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.project import PROJECT_FILE, nearest_project
from bulkmail.errors import ConfigurationError, Fault

CAMPAIGNS_FOLDER = "campaigns"
_SUFFIXES = (".yaml", ".yml")


def find_campaign(text: str, cwd: Path) -> Path:
    """The campaign's file: a path, or a name in `campaigns/` of the project around `cwd`.

    Raises `ConfigurationError` that names the nearest campaign there is.
    """
    looks_like_path = "/" in text or text.endswith(_SUFFIXES)
    if "\0" not in text and text and (_is_file(cwd / text) or looks_like_path):
        return _existing(Path(text), cwd)
    campaigns = campaigns_around(cwd)
    if text in campaigns:
        return campaigns[text]
    folder = CAMPAIGNS_FOLDER + "/"
    known = (
        did_you_mean(text, campaigns)
        if campaigns
        else "None is there at all: go into the project's folder, or give the campaign's file."
    )
    raise ConfigurationError(Fault(message=f"there is no campaign `{text}` in {folder}. {known}"))


def campaigns_around(cwd: Path) -> dict[str, Path]:
    """The campaign files of the project around `cwd`, by name, in order.

    Raises `ConfigurationError` where their folder may not be read.
    """
    root = nearest_project(cwd.absolute()) or nearest_with_campaigns(cwd.absolute())
    folder = (root or cwd) / CAMPAIGNS_FOLDER
    try:
        files = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        message = f"this folder cannot be read: {error.strerror or error}"
        raise ConfigurationError(Fault(path=CAMPAIGNS_FOLDER, message=message)) from error
    # .yaml comes after .yml here and wins, as the contract names it.
    return {
        file.stem: file for suffix in _SUFFIXES[::-1] for file in files if file.suffix == suffix
    }


def _existing(path: Path, cwd: Path) -> Path:
    if path.name == PROJECT_FILE:
        message = f"this is what campaigns share, and none itself: they are in {CAMPAIGNS_FOLDER}/"
        raise ConfigurationError(Fault(path=str(path), message=message))
    if _is_file(cwd / path):
        return path if cwd == Path.cwd() else cwd / path
    what = "is a folder" if os.path.isdir(cwd / path) else "does not exist"  # noqa: PTH112
    stem = str(path).removesuffix(path.suffix) if path.suffix in _SUFFIXES else str(path)
    folders = ("",) if path.is_absolute() else ("", CAMPAIGNS_FOLDER + "/")
    whole = (f"{folder}{stem}{suffix}" for folder in folders for suffix in _SUFFIXES)
    meant = next((f". Did you mean `{file}`?" for file in whole if _is_file(cwd / file)), "")
    raise ConfigurationError(Fault(path=str(path), message=f"this campaign file {what}{meant}"))


def _is_file(path: Path) -> bool:
    """`Path.is_file`, which raises where a name is longer than any file's."""
    return os.path.isfile(path)  # noqa: PTH113


def nearest_with_campaigns(cwd: Path) -> Path | None:
    """The nearest folder, `cwd` or above it, with a folder of campaigns."""
    for folder in (cwd, *cwd.parents):
        if (folder / CAMPAIGNS_FOLDER).is_dir():
            return folder
    return None
