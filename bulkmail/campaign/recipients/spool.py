"""A private folder for a list that was fetched, for as long as a run needs it.

A list is spooled so that it can be read more than once, and memory does not grow with it. The
folder is removed with the run. What a run that was killed left behind is removed by the next one:
a folder in use is locked by the operating system, so nobody guesses.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: Where lists lie in the program's folder.
NAME = "lists"
_PREFIX = "run-"
_LOCK = "lock"


@contextlib.contextmanager
def spool_folder(home: Path | None) -> Iterator[Path]:
    """A new folder (0700) below `home`; among the system's temporary ones where that is None."""
    lists = None if home is None else list_folder(home)
    with _locked(None if lists is None else lists / _LOCK):
        if lists is not None:
            _sweep(lists)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=lists))
        in_use = contextlib.ExitStack()
        in_use.enter_context(_locked(folder / _LOCK))
    with in_use:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def list_folder(home: Path) -> Path:
    """The folder of lists in the program's own, made where there is none."""
    folder = home / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(lists: Path) -> None:
    """Remove what killed runs left behind."""
    for folder in lists.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
