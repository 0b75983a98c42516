"""The process that writes a long dry run's files: see `eml_writer`.

It is in a session of its own, so that Ctrl-C reaches only us and what is under way is finished; it
ends when its input does, which it does when we end in whatever way.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path

from bulkmail.transport import eml_writer
from bulkmail.transport.eml_writer import COUNT, LENGTHS, STATUS

#: A file's name, and what it shall hold.
File = tuple[str, Sequence[bytes]]


class WriterGone(Exception):  # what happened, as in errors.py
    """The process ended under way; the files can be written again under the same names."""


class WriterProcess:
    """Writes files into one folder. Its methods block: they are for a thread."""

    def __init__(self, folder: Path) -> None:
        """Start it. Raises `OSError` where that cannot be."""
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            # Isolated, and without the packages that are installed: it starts in no time.
            [sys.executable, "-I", "-S", eml_writer.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._end = weakref.finalize(self, _end, self._process)

    def write(self, files: Sequence[File]) -> list[OSError | None]:
        """Write them; for each what went wrong. Raises `WriterGone`."""
        requests = [COUNT.pack(len(files))]
        for name, chunks in files:
            encoded = name.encode()
            requests.append(LENGTHS.pack(len(encoded), sum(map(len, chunks))) + encoded)
            requests += chunks
        answer = self._exchange(b"".join(requests), STATUS.size * len(files))
        statuses = (status for (status,) in STATUS.iter_unpack(answer))
        return [OSError(status, os.strerror(status)) if status else None for status in statuses]

    def close(self) -> None:
        """End the process; what it was asked for is written."""
        self._end()

    def _exchange(self, request: bytes, length: int) -> bytes:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the writer has pipes")
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            answer = self._process.stdout.read(length)
        except (OSError, ValueError) as error:
            raise WriterGone(str(error)) from error
        if len(answer) < length:
            raise WriterGone("it ended before it answered")
        return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()
