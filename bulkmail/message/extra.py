"""Packages that not everybody needs: a missing one is told with what installs it."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtra(ValueError):
    """A package of an extra is not installed; the sentence says what to do."""


def extra(module: str, what: str, name: str) -> Any:
    """The module, for `what` a person wants of it. Raises `MissingExtra`.

    `name` is the extra it comes with: ``html`` of ``bulkmail[html]``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{what} needs an extra: pip install 'bulkmail[{name}]'") from error
