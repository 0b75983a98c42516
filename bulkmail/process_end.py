"""How a process of ours ends: without a clearing up."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys


def leave(code: int) -> None:
    """End this process, as the interpreter would but that nothing is let go of one by one.

    To do so takes 5 % of what a letter takes. No other thread is waited for.
    """
    atexit._run_exitfuncs()  # noqa: SLF001  # what the interpreter does, and all it is to do
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: the shell closed it
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    os._exit(code)
