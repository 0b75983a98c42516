"""A stream that plays a transcript, and what goes with it."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from bulkmail.errors import ConnectionLost, StageTimeout
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.stage import Stage
from bulkmail.transport.byte_stream import Bytes
from bulkmail.transport.session import Session

HOST = "mx.example"
WHERE = f"{HOST}:587"

#: What a server that offers nothing says before most tests begin.
GREETING = """
    S: 220 mx.example ESMTP
    C: EHLO me.example
    S: 250-mx.example
    S: 250 HELP
"""
#: The same of one that offers PIPELINING.
PIPELINING_GREETING = """
    S: 220 mx.example ESMTP
    C: EHLO me.example
    S: 250-mx.example
    S: 250 PIPELINING
"""
#: And of one that offers CHUNKING beside it.
CHUNKING_GREETING = """
    S: 220 mx.example ESMTP
    C: EHLO me.example
    S: 250-mx.example
    S: 250-PIPELINING
    S: 250 CHUNKING
"""
#: The replies to a message by BDAT.
TAKEN = """
    S: 250 2.1.0 ok
    S: 250 2.1.5 ok
    S: 250 2.0.0 queued
"""
#: At the end of a `C:` line: whatever else the client writes.
ANYTHING = "…\r\n".encode()
#: What has been said when a stage's reply is due.
STEPS = [
    ("mail", ["C: MAIL FROM:<a@x.example>"]),
    ("rcpt", ["S: 250 ok", "C: RCPT TO:<b@y.example>"]),
    ("data", ["S: 250 ok", "C: DATA"]),
    ("end of data", ["S: 354 go on", "C: Subject: hi", "C:", "C: hello", "C: ."]),
]


def until(stage: str) -> str:
    """What is said of a message by itself until its reply at `stage` is due, by `STEPS`."""
    lines: list[str] = []
    for name, step in STEPS:
        lines += step
        if name == stage:
            break
    return "\n".join(lines)


class ScriptedStream:
    """Plays a transcript: gives what the server says, holds what the client says against it.

    `C:` lines that follow one another are one write group: what the client has written by the time
    it waits for the next `S:` must be exactly that. Instead of a line the server may (close),
    (reset), be (silent) past the deadline, or (hang). `says_at_once` is there without being asked.
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[str, bytes]] = deque()
        self._written = bytearray()
        #: Every write.
        self.writes: list[bytes] = []
        self.is_aborted = False
        self.is_tls = False
        self._hangs = asyncio.Event()
        self.is_congested = False
        self.sends_files = False
        self.unsent = 0
        self.has_ended = False
        self.local_address = "192.0.2.7"
        self.peer_address = "192.0.2.25"
        self.ssl_object: ssl.SSLObject | None = None
        self.waited_for: list[Stage] = []

    def plays(self, transcript: str) -> ScriptedStream:
        """Add a transcript."""
        for line in filter(None, map(str.strip, transcript.splitlines())):
            speaker, _, text = line.partition(":")
            text = text.removeprefix(" ")
            if speaker == "C":
                self._add("hears", f"{text}\r\n".encode())
            elif text in ("(close)", "(reset)", "(silent)", "(hang)"):
                self._steps.append((text.strip("()"), b""))
            else:
                self._add("says", f"{text}\r\n".encode())
        return self

    def says(self, data: bytes) -> ScriptedStream:
        """Give exactly these bytes to one read."""
        self._steps.append(("says", data))
        return self

    def says_at_once(self, data: bytes) -> ScriptedStream:
        """Bytes that are there before anybody waits for them."""
        self._steps.append(("blurts", data))
        return self

    def _add(self, kind: str, data: bytes) -> None:
        if self._steps and self._steps[-1][0] == kind:
            data = self._steps.pop()[1] + data
        self._steps.append((kind, data))

    def _hear(self) -> None:
        if self._steps and self._steps[0][0] == "hears":
            _, expected = self._steps.popleft()
            if expected.endswith(ANYTHING):
                assert self._written.startswith(expected.removesuffix(ANYTHING))
            else:
                assert bytes(self._written) == expected
            self._written.clear()

    def catch_up(self) -> None:
        """Hold what was written by now against the transcript, as at a wait."""
        self._hear()

    def finish(self) -> None:
        """Assert that all was played. A QUIT may be left: nobody answered it."""
        self._hear()
        assert not self._steps
        assert bytes(self._written) in (b"", b"QUIT\r\n")

    async def hung(self, task: asyncio.Task[object]) -> None:
        """Wait until `task` waits for a server that hangs."""
        waiting = asyncio.ensure_future(self._hangs.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert not task.done(), task

    @property
    def is_quiet(self) -> bool:
        is_told_more = bool(self._steps) and self._steps[0][0] == "blurts"
        return not (is_told_more or self.has_ended)

    def write(self, chunks: Iterable[Bytes]) -> int:
        data = b"".join(chunks)
        self.writes.append(data)
        self._written += data
        return len(data)

    def send_file(self, file: SharedFile) -> None:
        raise AssertionError("this stream sends no files")

    def peek(self) -> bytes:
        if self._steps and self._steps[0][0] == "blurts":
            return self._steps.popleft()[1]
        return b""

    async def read(self, stage: Stage, deadline: float) -> bytes:
        assert deadline > asyncio.get_running_loop().time()
        self.waited_for.append(stage)
        self._hear()
        kind, data = self._steps.popleft() if self._steps else ("close", b"")
        if kind == "hang":
            self._hangs.set()
            await asyncio.Event().wait()
        if kind == "silent":
            raise StageTimeout(f"{WHERE} gave no answer in time", host=WHERE, stage=stage)
        if kind == "reset":
            raise ConnectionLost(f"{WHERE}: reset", host=WHERE, stage=stage)
        self.has_ended = kind == "close"
        return data

    async def read_on(
        self, stage: Stage, deadline: float, take: Callable[[bytes], tuple[Stage, float] | None]
    ) -> None:
        awaited: tuple[Stage, float] | None = (stage, deadline)
        while awaited is not None:
            awaited = take(await self.read(*awaited))

    async def drain_or_read(self, stage: Stage, deadline: float) -> bytes | None:
        raise AssertionError("this stream is never congested")

    async def start_tls(self, context: ssl.SSLContext, deadline: float) -> None:
        assert not self._written
        self.is_tls = True

    async def close(self) -> None:
        self.has_ended = True

    def abort(self) -> None:
        self.is_aborted = True
        self.has_ended = True


class OpenSession(Protocol):
    async def __call__(self, **settings: object) -> Session: ...


class Marks:
    """Counts marks; raises or waits where it is told to."""

    def __init__(self, script: ScriptedStream) -> None:
        self._script = script
        self.count = 0
        self.fault: BaseException | None = None
        #: Whether the server closes meanwhile.
        self.is_left_alone = False
        self.hangs: asyncio.Event | None = None
        #: What had been written when the mark was made.
        self.written_before = b""

    async def __call__(self) -> None:
        self.count += 1
        self.written_before = b"".join(self._script.writes)
        self._script.has_ended |= self.is_left_alone
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
