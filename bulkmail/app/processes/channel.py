"""Words over a pipe between two processes of one run: pickled, each with its length in front.

Both ends are this program, started by one another, and nobody else has the pipe. So it carries
secrets, which are pickled nowhere else.
"""

from __future__ import annotations

import asyncio
import copyreg
import io
import os
import pickle
import struct
from collections import Counter
from typing import Any

from bulkmail.app.processes.words import Word
from bulkmail.secret import Secret

_LENGTH = struct.Struct("!I")
#: Seconds for which what is not urgent is gathered: a hundred words then cost one write.
DELAY = 0.05


class Channel:
    """One end. Words arrive in the order in which they were said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unsaid: list[Any] = []
        #: What is said soon and has only to be counted, and how often.
        self._counted: Counter[Word] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def say(self, *words: Any) -> None:
        """Say this at once. Nothing happens where nobody listens any more."""
        self._unsaid.append(words)
        self._flush()

    def mention(self, *words: Any) -> None:
        """Say this soon, together with what else there is to say."""
        self._unsaid.append(words)
        self._soon()

    def count(self, *words: Any, times: int = 1) -> None:
        """Say soon, before anything else that is said then, how often this happened."""
        self._counted[words] += times
        self._soon()

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._flush)

    async def hear(self) -> list[Word] | None:
        """The next words; None: the other end is gone, or is cut off in the middle of one."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            text = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return None
        words: list[Word] = pickle.loads(text)  # noqa: S301  # our own, see the module
        return words

    async def close(self) -> None:
        """Say what is unsaid, and close this end."""
        self._flush()
        try:
            await self._writer.drain()
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            return

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        words, self._unsaid = self._unsaid, []
        if self._counted:
            words.insert(0, ("counted", list(self._counted.items())))
            self._counted = Counter()
        if words and not self._writer.is_closing():
            text = _pickled(words)
            self._writer.write(_LENGTH.pack(len(text)) + text)


async def open_channel(heard: int, said: int) -> Channel:
    """An end of two pipes, given by their descriptors; it closes them."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(heard, "rb")
    )
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(said, "wb")
    )
    return Channel(reader, asyncio.StreamWriter(transport, protocol, None, loop))


def _pickled(words: list[Any]) -> bytes:
    out = io.BytesIO()
    pickler = pickle.Pickler(out, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = copyreg.dispatch_table | {Secret: _laid_open}
    pickler.dump(words)
    return out.getvalue()


def _laid_open(secret: Secret) -> tuple[type[Secret], tuple[str]]:
    return Secret, (secret.reveal(),)
