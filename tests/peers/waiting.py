"""Wait for what another process does: by looking, under a deadline, never by a fixed pause."""

from __future__ import annotations

import select
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, what: str, seconds: float = 300) -> None:
    """Return as soon as `condition` holds. Raises TimeoutError, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"{what}: not within {seconds:g} s"
            raise TimeoutError(message)
        select.select([], [], [], 0.02)  # the peer is a foreign process: nothing to be woken by
