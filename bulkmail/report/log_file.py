"""The log's file: 0600, rotated, and written by several processes.

Two runs (of two campaigns) may write the same file. Each line is written and each rotation made
under a lock of the operating system, and a file that somebody else has rotated is opened again;
so no line is lost, and none goes to a file that is already old. What is logged in one turn of an
event loop is written at its end, in one turn with the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path

#: Bytes of one file, and how many files are kept in all.
MAX_BYTES = 10_000_000
FILES = 5


class SharedRotatingHandler(logging.FileHandler):
    """A rotating file that several processes write, readable by its owner alone.

    Rotated as Python's own handler does it, which is slow to import.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, files: int = FILES) -> None:
        self.path = path
        self.max_bytes, self.files = max_bytes, files
        self._lock_path = path.with_name(path.name + ".lock")
        #: Open from the first line on: an open file costs more than a turn.
        self._lock_file: int | None = None
        #: Lines that are not written yet; another thread may put some in as they are taken out.
        self._waiting: deque[str] = deque()
        #: The event loop at the end of whose turn they are.
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        super().__init__(path, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=private)

    def emit(self, record: logging.LogRecord) -> None:
        """Write what the record says."""
        self.put(self.format(record))

    def put(self, *lines: str) -> None:
        """Write lines: at once, or where an event loop runs at the end of its turn."""
        self._waiting += lines
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._flushed_by is not loop:
            self._flushed_by = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits, in turn with the other processes.

        A log that cannot be written loses its lines: it stops nobody's letter, the ledger does.
        """
        self.acquire()
        try:
            self._flushed_by = None
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines:
                lines.append("")
                self._write(self.terminator.join(lines).encode("utf-8", "backslashreplace"))
        except OSError:
            pass
        finally:
            self.release()

    def _write(self, lines: bytes) -> None:
        with self._turn():
            stream, size = self._current()
            if size and size + len(lines) > self.max_bytes:
                self._rotate()
                stream, _ = self._current()
            # As one write, behind all that others wrote: the file is open to append.
            os.write(stream.fileno(), lines)

    def close(self) -> None:
        """Write what waits and close the file; what a full disk does not take is lost."""
        self.flush()
        with contextlib.suppress(OSError):
            super().close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _rotate(self) -> None:
        """Let the file be an older one, and the oldest be gone; `_current` opens a new one."""
        names = [self.path, *(Path(f"{self.path}.{age}") for age in range(1, self.files))]
        for younger, older in reversed(list(pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                younger.replace(older)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._lock_file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock_file = os.open(self._lock_path, flags, 0o600)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _current(self) -> tuple[TextIOWrapper, int]:
        """The file that has the log's name, opened again where another has it now; its size."""
        if self.stream is not None:
            mine = os.fstat(self.stream.fileno())
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), mine):
                    return self.stream, mine.st_size
            self.stream.close()
        self.stream = self._open()
        return self.stream, os.fstat(self.stream.fileno()).st_size
