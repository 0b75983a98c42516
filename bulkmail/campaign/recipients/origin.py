"""What all origins of a list have in common: their trouble, and what may be shown of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from bulkmail.address import printable

#: The most of somebody else's words that is repeated.
_MAX_WORDS = 300


class NoList(Exception):
    """The origin gave no list, or not all of it; the sentence says why."""


class Unusable(Exception):
    """What is written cannot work, however often it is tried; the sentence says why."""


def optional(module: str, what: str, name: str) -> Any:
    """The module that comes with the extra `name`. Raises `Unusable`, which says what to do."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unusable(f"{what} needs an extra: pip install 'bulkmail[{name}]'") from error


def first_line(text: str, secrets: Iterable[str] = ()) -> str:
    """The first line that says something, without secrets and without control characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        line = line.replace(secret, "***")
    return printable(line[:_MAX_WORDS])
