"""A child as its parent has it: the process, the pipes, and what it is to be told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

from bulkmail.app.processes.channel import Channel, open_channel
from bulkmail.app.processes.nursery import Born
from bulkmail.app.processes.words import Outfit, Word
from bulkmail.errors import ShortOfResources, shortage

#: Run by a new interpreter, which does not look into the current folder: a user's `email.py` there
#: is not Python's. The package is found where this one was.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from bulkmail.app.processes.child import main; sys.exit(main())"
)
_STDERR = 2
#: Seconds in which a child that was cut has to end; then it is killed. It only has to write down
#: what is in doubt.
PATIENCE = 30.0
#: Seconds in which a child that has closed its pipe has to be gone; then it is killed.
ENDING = 5.0


class Member:
    """One child. Nothing secret is in its arguments, nor in its environment but what ours has."""

    def __init__(self, process: Process | Born, channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self._is_ending = False
        #: How often it was asked since it last said something.
        self.silence = 0

    @property
    def pid(self) -> int:
        """Its number, for a person."""
        return self._process.pid

    @property
    def is_at_disk(self) -> bool:
        """Whether it waits for a disk, as far as the system tells: killing it is of no use then."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_bytes()
        except OSError:  # it has just gone, or this is another system
            return False
        # Behind its name, which may hold anything (proc_pid_stat(5)).
        return stat.rpartition(b")")[2].split()[:1] == [b"D"]

    @classmethod
    async def start(cls, outfit: Outfit) -> Member:
        """Start a process, which gets ready with its outfit at once. Raises `ShortOfResources`."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", _PROGRAM, str(_home())),
                stdin=PIPE,
                stdout=PIPE,
                stderr=None if _has_stderr() else DEVNULL,
                # A session of its own: Ctrl-C reaches only us, and we pass it on.
                start_new_session=True,
            )
        except OSError as error:
            raise shortage(error) or ShortOfResources(
                f"No process could be started ({error.strerror or error}): allow more (ulimit), or "
                "run again with fewer --processes."
            ) from error
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a child has pipes")
        member = cls(process, Channel(process.stdout, process.stdin))
        member.say("outfit", outfit)
        return member

    @classmethod
    async def born(cls, child: Born, outfit: Outfit) -> Member:
        """Let a process that was forked get ready with its outfit."""
        child.attach()
        member = cls(child, await open_channel(child.heard, child.said))
        member.say("outfit", outfit)
        return member

    def say(self, *words: Any) -> None:
        """Tell it something; nothing happens where it is gone."""
        self._channel.say(*words)

    def ask(self) -> None:
        """Ask whether it is there: it answers at once, or says something else."""
        self.silence += 1
        self.say("ask")

    async def hear(self) -> list[Word] | None:
        """What it says next; None when it has ended, or has been killed."""
        words = await self._channel.hear()
        self._is_ending = words is None
        self.silence = 0
        return words

    async def ended(self) -> int:
        """Wait for its end: the exit code; below zero the signal that killed it."""
        return await self._process.wait()

    async def dismiss(self) -> None:
        """End it, if it has not ended, and let go of the pipes."""
        if self._is_ending:
            # To kill who has just gone is to ask for its status, which asyncio then misses: it
            # would say so on the terminal, and call the status 255.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING):
                    await self._process.wait()
        self.kill()
        await self._process.wait()
        await self._channel.close()

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                # Not by its own `kill()`, which would reap it first where it has just died: how is
                # lost.
                os.kill(self._process.pid, signal.SIGKILL)


def _has_stderr() -> bool:
    """Whether ours is one to hand on: closed by the shell (``2>&-``), its number is another's."""
    try:
        return os.get_inheritable(_STDERR)
    except OSError:
        return False


def _home() -> Path:
    """The folder that our own package is in."""
    return Path(__file__).parents[3]
