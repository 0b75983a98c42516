"""Which event loop a program of ours runs on, and what else its process is told of its work.

The loop is uvloop's where it is installed, else asyncio's.

It is given to `asyncio.Runner`; a caller of the library runs the loop of their own choice.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from collections.abc import Callable
from typing import Any

#: New objects after which garbage is looked for: messages leave little of it.
_OBJECTS = 20_000
#: Seconds after which the loop's thread lets another one go on; Python's own are 5 ms.
_TURN = 0.0002


def look_for_garbage() -> None:
    """Do it from here on, but not in what is there by now: that stays. For a process of ours."""
    gc.freeze()
    gc.set_threshold(_OBJECTS, 10, 10)
    gc.enable()


def let_the_ledger_hurry() -> None:
    """Let the ledger's thread go on soon, whatever the loop does. For one process of several.

    While it waits for its turn it holds the write lock, for which the other processes wait.
    """
    sys.setswitchinterval(_TURN)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where the extra `speed` is installed; None: asyncio's own."""
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def loop_name() -> str:
    """The running loop, for a person: ``uvloop 0.23.0``, ``asyncio``."""
    maker = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    version = getattr(importlib.import_module(maker), "__version__", "")
    return f"{maker} {version}".rstrip()
