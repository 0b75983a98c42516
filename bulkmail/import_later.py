"""Have a module that others import, and do not use, imported when it is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what an import itself looks at
            raise AttributeError(name)
        return getattr(_loaded(self), name)


def import_later(name: str, *functions: str) -> None:
    """Let who imports module `name`, or `functions` of it, wait for it when they use it."""
    if name in sys.modules:
        return
    sys.modules[name] = later = _Later(name)
    package, _, child = name.rpartition(".")
    if package:  # as an import does it: `import package.child` gives `package`, to look there
        setattr(importlib.import_module(package), child, later)
    for function in functions:
        setattr(later, function, _calling(later, function))


def _calling(later: ModuleType, function: str) -> Callable[..., Any]:
    def call(*values: Any, **named: Any) -> Any:
        return getattr(_loaded(later), function)(*values, **named)

    return call


def _loaded(later: ModuleType) -> ModuleType:
    if sys.modules.get(later.__name__) is later:
        del sys.modules[later.__name__]
    return importlib.import_module(later.__name__)
