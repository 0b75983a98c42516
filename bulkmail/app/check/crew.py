"""Processes that check rows, one for each core: a list is looked at in the order it has.

They are in a session of their own, so that Ctrl-C reaches only us; they end when their input does,
which it does when we end in whatever way. What they are told of is in memory and pipes alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from bulkmail.app.check.row import Answer, Question, Unfit
from bulkmail.app.check.worker import packed, received
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.campaign import ProjectModel
from bulkmail.fate import Delivery
from bulkmail.message.addressees import IsSuppressed

#: Rows in one question.
CHUNK = 200
#: Questions under way for each process: one that is answered, and the next one.
_AHEAD = 2


def cores() -> int:
    """How many there are for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Some processes with one campaign. Enter it; on exit they are gone."""

    def __init__(self, campaign: Campaign, is_suppressed: IsSuppressed, size: int) -> None:
        """Nothing is started yet. Raises `ValueError` where `is_suppressed` cannot be told."""
        self._size = size
        try:
            self._introduction = packed((_without_secrets(campaign), is_suppressed))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(str(error)) from error
        self._workers: list[subprocess.Popen[bytes]] = []
        self._introduced: set[int] = set()
        self._threads = ThreadPoolExecutor(_AHEAD * size + 1, "check")
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._asked: deque[tuple[list[Delivery], asyncio.Future[list[Answer]]]] = deque()

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            with contextlib.suppress(OSError):
                self._workers.append(_started())
        for worker in self._workers:
            self._idle.put(worker)
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
        # Whoever asks meanwhile is told that nobody is there.
        self._idle.put(None)
        await asyncio.gather(*(asked for _, asked in self._asked), return_exceptions=True)
        self._threads.shutdown()
        for worker in self._workers:
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            worker.wait()

    async def check(
        self,
        batches: AsyncIterator[tuple[Sequence[Delivery], datetime]],
        *,
        is_close: bool = False,
    ) -> AsyncIterator[tuple[list[Delivery], list[Answer]]]:
        """Rows with their answers, in the rows' order. `is_close`: with what is worth a notice.

        Where no process is left that answers, each row is `Unfit`: to be looked at here.
        """
        place = 1
        async for batch, instant in batches:
            for start in range(0, len(batch), CHUNK):
                rows = list(batch[start : start + CHUNK])
                question = Question(rows, instant, place if is_close else None)
                place += len(rows)
                loop = asyncio.get_running_loop()
                asked = loop.run_in_executor(self._threads, self._ask, question)
                self._asked.append((rows, asked))
                if len(self._asked) > _AHEAD * self._size:
                    yield await self._next()
        while self._asked:
            yield await self._next()

    async def _next(self) -> tuple[list[Delivery], list[Answer]]:
        rows, asked = self._asked[0]
        found = await asyncio.shield(asked)
        self._asked.popleft()
        return rows, found

    def _ask(self, question: Question) -> list[Answer]:
        """Have it answered, by whoever is idle first; in a thread."""
        while (worker := self._idle.get()) is not None:
            try:
                found = self._exchange(worker, question)
            except (OSError, EOFError, ValueError):
                # It has ended: out of memory, or killed. Another one answers.
                worker.kill()
                if all(other.poll() is not None or other is worker for other in self._workers):
                    self._idle.put(None)
                continue
            self._idle.put(worker)
            return found
        self._idle.put(None)
        return [Unfit() for _ in question.rows]

    def _exchange(self, worker: subprocess.Popen[bytes], question: Question) -> list[Answer]:
        if worker.stdin is None or worker.stdout is None:
            raise AssertionError("a worker has pipes")
        if worker.pid not in self._introduced:
            self._introduced.add(worker.pid)
            worker.stdin.write(self._introduction)
        worker.stdin.write(packed(question))
        worker.stdin.flush()
        found: list[Answer] = received(worker.stdout)
        return found


def _started() -> subprocess.Popen[bytes]:
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "bulkmail.app.check.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # What it fails by, we fail by when we look at the same rows.
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def _without_secrets(campaign: Campaign) -> Campaign:
    """The campaign as far as messages are made of it: no servers, and its file's places alone."""
    document = campaign._document  # noqa: SLF001
    return replace(
        campaign,
        model=campaign.model.model_copy(update={"servers": None}),
        project=ProjectModel.without_keys(),
        _document=replace(document, value=None),
        _project_document=None,
    )
