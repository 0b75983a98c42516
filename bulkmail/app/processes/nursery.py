"""Children that are forked ahead of a run: they have loaded all they need, and wait for an outfit.

To start an interpreter takes each half a second of a processor; a fork takes milliseconds. It is
safe where this process has one thread, no event loop and no ledger open, so the command forks
before it begins. A child that takes a dead one's place is a new interpreter, as everywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self

from bulkmail.app.loop import loop_factory
from bulkmail.process_end import leave

#: More than that are not forked ahead.
MOST = 16
#: One for so many files that this process may open: how many children the campaign can use is not
#: known yet, each holds three files here, and the run needs the rest (uvloop aborts without).
_FILES = 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: The status of a child that somebody else has reaped: asyncio's, too.
_UNKNOWN = 255
_STDERR = 2


class Born:
    """A forked child: what asyncio has for a process that it started itself."""

    def __init__(self, pid: int, heard: int, said: int) -> None:
        self.pid = pid
        #: Our ends of the pipes: what it says, and what it is told.
        self.heard, self.said = heard, said
        self.returncode: int | None = None
        self._watch: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it is gone, and was reaped
            self._watch = os.pidfd_open(pid)
        self._ended: asyncio.Future[int] | None = None

    def attach(self) -> None:
        """Have the running loop notice its end."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        if self._watch is None:
            self._bury()
        else:
            loop.add_reader(self._watch, self._bury)

    async def wait(self) -> int:
        """Wait for its end: the exit code; below zero the signal that killed it."""
        if self._ended is None:
            raise AssertionError("it is attached to a loop first")
        return await asyncio.shield(self._ended)

    def discard(self) -> None:
        """End it: it was not needed."""
        os.close(self.heard)
        os.close(self.said)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._watch is not None:
            os.close(self._watch)

    def _bury(self) -> None:
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None
        try:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            self.returncode = _UNKNOWN
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(self.returncode)


class Nursery:
    """So many children, forked as it is entered; those that nobody took end as it is left.

    Each does `work`, with its words on stdin and stdout, and exits with what that returns. None
    where a fork is not safe, or not known to be: whoever asks for a child gets none.
    """

    def __init__(self, count: int, work: Callable[[], int]) -> None:
        self._count = min(count, MOST, _files() // _FILES)
        self._work = work
        self._born: list[Born] = []

    def __enter__(self) -> Self:
        loop_factory()  # loaded once, so that none of them has to
        if _is_safe():
            gc.freeze()
            with contextlib.suppress(OSError):  # no more processes: they are started later, or fail
                for _ in range(self._count):
                    self._born.append(_forked(self._work))
        return self

    def __exit__(self, *_: object) -> None:
        while self._born:
            self._born.pop().discard()

    def take(self) -> Born | None:
        """One that is the caller's from here on; None: there is none left."""
        return self._born.pop(0) if self._born else None


def _is_safe() -> bool:
    """Whether a child can be a copy of this process: on Linux, and nothing else runs in it."""
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return False
    # An interpreter that was built with older headers has none, whatever the system has.
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        # Threads that Python does not know of count as well.
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _forked(work: Callable[[], int]) -> Born:
    """A child that does `work`, with a pipe for stdin and stdout. Raises `OSError`."""
    with contextlib.ExitStack() as undo:
        told, said = _pipe(undo)
        heard, saying = _pipe(undo)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # else the child would write it, too
                stream.flush()
        # A signal to us all is ours to pass on: the child is never to answer one.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if not pid:
                _be_child(work, told, saying, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        undo.pop_all()
    os.close(told)
    os.close(saying)
    return Born(pid, heard, said)


def _files() -> int:
    """How many files this process may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _close_all_else() -> None:
    """Close every file but the standard ones, and what stands for one that came closed.

    The pipes of others among them: who holds one keeps a child from noticing our end. Those that
    are open, not all numbers up to the limit: a container's may be a thousand million, and may lie
    below a number that is in use.
    """
    kept = set(range(_STDERR + 1))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # it is no file
            kept.add(stream.fileno())
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # numbers, not paths
        if number not in kept:
            with contextlib.suppress(OSError):  # the one that was read from
                os.close(number)


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _be_child(work: Callable[[], int], told: int, saying: int, mask: set[Any]) -> NoReturn:
    """Be a process of its own, as one that was started would be, and end with it."""
    code = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setsid()
        os.dup2(told, 0)
        os.dup2(saying, 1)
        _close_all_else()
        code = work()
    except BaseException:  # noqa: BLE001  # the end of this process, whatever it is
        traceback.print_exc()
    finally:
        leave(code)
    raise AssertionError("it has ended")
