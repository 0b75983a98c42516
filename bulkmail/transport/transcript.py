"""The transcript: the dialogue as C: and S: lines, for a file or a person.

Secrets never come this far: commands mask themselves, and a conversation hides the password where
a server repeats it. Content is one line with its size. Telling never waits: `tell` is called in
the session's own step, and a file's lines are written by a task of its own.

Of connections that are open at once each has a number. The lines are the same for all of them,
``C: EHLO``; where another one speaks than before, a line names it first: ``  — connection 2 —``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.smtp.commands import Command
from bulkmail.smtp.reply import Reply

#: How the line begins that says whose lines follow.
SPEAKER = "  — connection"

_KILO = 1024


class Transcript:
    """Where the dialogues of all sessions are told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._numbers: set[int] = set()
        #: Whose line was told last.
        self._speaker = 1
        #: Why a file could not be written to the end, in a sentence; "" while it can.
        self.fault = ""

    def begin(self) -> Scribe:
        """A scribe for one more connection, who has to be let go with `Scribe.end`."""
        number = next(n for n in range(1, len(self._numbers) + 2) if n not in self._numbers)
        self._numbers.add(number)
        return Scribe(partial(self.say, number), partial(self._numbers.discard, number))

    def say(self, number: int, text: str) -> None:
        """Tell one line of connection `number`."""
        if number != self._speaker:
            self._speaker = number
            self._tell(f"{SPEAKER} {number} —")
        self._tell(text)


class Scribe:
    """Tells one connection's dialogue."""

    def __init__(self, tell: Callable[[str], None], end: Callable[[], None]) -> None:
        self._tell = tell
        self.end = end

    def sent(self, commands: Iterable[Command]) -> None:
        """Tell what we said, secrets masked."""
        for command in commands:
            if text := command.masked():
                self._tell(f"C: {text}")

    def poured(self, size_bytes: int) -> None:
        """Tell that content went out."""
        self._tell(f"C: [{human_size(size_bytes)} of content]")

    def received(self, reply: Reply) -> None:
        """Tell what the server said."""
        *more, last = reply.lines or ("",)
        for line in more:
            self._tell(f"S: {reply.code}-{line}")
        self._tell(f"S: {reply.code} {last}".rstrip())

    def line(self, text: str) -> None:
        """Tell a line of another kind of dialogue, as it stands; its secrets are masked already."""
        self._tell(text)

    def note(self, text: str) -> None:
        """Tell what is neither side's: the connection, the handshake, a loss."""
        self._tell(f"  {text}")


def human_size(size_bytes: int) -> str:
    """``412 kB``; below one kB in bytes."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < _KILO:
            return f"{size:.0f} {unit}"
        size /= _KILO
    return f"{size:.1f} GB"


@contextlib.asynccontextmanager
async def transcript_file(path: Path) -> AsyncIterator[Transcript]:
    """A transcript that is appended to `path`, which is made for its owner alone (0600).

    Raises `ConfigurationError` where it cannot be opened. Where it cannot be written later, the
    sessions go on and `Transcript.fault` says why. All lines are in the file at the end.
    """
    import aiofiles  # noqa: PLC0415  # who keeps no transcript does without

    lines: asyncio.Queue[str | None] = asyncio.Queue()
    transcript = Transcript(lines.put_nowait)
    try:
        file = await aiofiles.open(path, "a", encoding="utf-8", opener=_private)
    except OSError as error:
        raise ConfigurationError(
            Fault(message=f"the transcript cannot be written: {error.strerror}", path=str(path))
        ) from error

    async def keep() -> None:
        try:
            while (text := await _gathered(lines)) is not None:
                await file.write(text)
                await file.flush()
            await file.close()
        except OSError as error:
            transcript.fault = f"the transcript {path} is not complete: {error.strerror}"
            with contextlib.suppress(OSError):
                await file.close()
            while await _gathered(lines) is not None:
                continue

    keeper = asyncio.get_running_loop().create_task(keep())
    try:
        yield transcript
    finally:
        lines.put_nowait(None)
        await keeper


async def _gathered(lines: asyncio.Queue[str | None]) -> str | None:
    """All lines that wait, in one text; None at the end."""
    first = await lines.get()
    if first is None:
        return None
    text = [first, "\n"]
    while not lines.empty():
        line = lines.get_nowait()
        if line is None:
            lines.put_nowait(None)
            break
        text += [line, "\n"]
    return "".join(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
