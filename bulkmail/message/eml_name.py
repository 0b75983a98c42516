"""Names of .eml and .txt files and their folders: a dry run's (the contract, 4) and the sink's."""

from __future__ import annotations

import re

#: What Linux, macOS and Windows allow one name to be, in bytes; ours are ASCII.
NAME_MAX = 255

_FOREIGN = re.compile(r"[^A-Za-z0-9@._+-]")
_OURS = re.compile(r"[0-9]{6,}-[A-Za-z0-9@._+-]*")
_SEPARATORS = re.compile(r"[/\\\x00-\x1f\x7f]")


def eml_name(number: int, address: str, suffix: str = ".eml") -> str:
    """``000017-li.wei@example.com.eml``: the number in 6 digits or more, then the address.

    Each character of the address other than ``A-Za-z0-9@._+-`` becomes ``_``, and its end is cut
    where the name would be too long: the number alone tells two files apart.
    """
    room = NAME_MAX - len(f"{number:06d}-{suffix}")
    return f"{number:06d}-{_FOREIGN.sub('_', address)[:room]}{suffix}"


def is_eml_name(name: str, suffix: str = ".eml") -> bool:
    """Whether `eml_name` may have made this name."""
    return name.endswith(suffix) and _OURS.fullmatch(name.removesuffix(suffix)) is not None


def folder_name(campaign: str) -> str:
    """A campaign's name as the name of one folder: as it is, wherever a file system takes it.

    Separators and control characters become ``_``, and so do the dots of ``.`` and ``..``.
    """
    name = _SEPARATORS.sub("_", campaign)
    if name.strip(".") == "":
        name = "_" * max(1, len(name))
    return name.encode(errors="replace")[:NAME_MAX].decode(errors="ignore")
