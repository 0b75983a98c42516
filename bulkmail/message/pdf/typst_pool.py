"""Processes that make PDFs, as many as there are cores, started when they are first needed.

They are in a session of their own, so that Ctrl-C reaches only us and what is under way is
finished; they end when their input does, which it does when we end in whatever way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import subprocess
import sys
import weakref
from pathlib import Path
from typing import IO

from bulkmail.message.pdf.typst_wire import DONE, LENGTH, framed


class PdfRefused(ValueError):
    """The template does not come to a PDF; the sentence says why, and where."""


class TypstPool:
    """Makes PDFs side by side."""

    def __init__(self, size: int | None = None) -> None:
        """`size` processes at most; as many as there are cores by default."""
        self._workers: list[subprocess.Popen[bytes]] = []
        self._idle: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        for _ in range(size or os.cpu_count() or 1):
            self._idle.put(None)
        weakref.finalize(self, _end, self._workers)

    async def pdf(self, path: Path, root: Path, fields: str, timestamp: int) -> tuple[bytes, str]:
        """The PDF of the template at `path`, which reads nothing outside of `root`; a remark on it.

        `fields` is JSON; `timestamp` (epoch seconds) is what it says it was made at. Raises
        `PdfRefused`.
        """
        request = json.dumps(
            {"path": str(path), "root": str(root), "data": fields, "timestamp": timestamp}
        ).encode()
        return await asyncio.to_thread(self._ask, request)

    def _ask(self, request: bytes) -> tuple[bytes, str]:
        worker = self._idle.get()
        try:
            if worker is None or worker.poll() is not None:
                worker = self._started()
            status, content, remark = _exchange(worker, request)
        finally:
            self._idle.put(worker)
        if status != DONE:
            raise PdfRefused(content.decode())
        return content, remark.decode()

    def _started(self) -> subprocess.Popen[bytes]:
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        worker = subprocess.Popen(
            [sys.executable, "-m", "bulkmail.message.pdf.typst_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        self._workers.append(worker)
        return worker


def _exchange(worker: subprocess.Popen[bytes], request: bytes) -> tuple[bytes, bytes, bytes]:
    """One question and its answer. Raises `PdfRefused` when the worker ended instead."""
    if worker.stdin is None or worker.stdout is None:
        raise AssertionError("a worker has pipes")
    try:
        worker.stdin.write(framed(request))
        worker.stdin.flush()
        return _exactly(worker.stdout, 1), _frame(worker.stdout), _frame(worker.stdout)
    except (BrokenPipeError, EOFError):
        pass
    worker.kill()
    raise PdfRefused("typst ended before the PDF was made (out of memory?)")


def _frame(source: IO[bytes]) -> bytes:
    (size,) = LENGTH.unpack(_exactly(source, LENGTH.size))
    return _exactly(source, size)


def _exactly(source: IO[bytes], size: int) -> bytes:
    """So many octets. Raises `EOFError` where there are fewer."""
    content = source.read(size)
    if len(content) < size:
        raise EOFError
    return content


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    """End the processes: they are idle, or nobody wants what they make any more."""
    for worker in workers:
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        worker.kill()
        worker.wait()
