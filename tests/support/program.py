"""The program as its users run it: a process, its streams, its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Seconds after which a process hangs.
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process left."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        """All it printed."""
        return self.out + self.err


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would change a command's ways."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BULKMAIL_")}
    return kept | {"NO_COLOR": "1"} | more


async def start(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Process:
    """Start a command in a folder."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkmail", *arguments),
        cwd=folder,
        env=environment(**(environ or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Process) -> Ended:
    """Wait for its end."""
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def bulkmail(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> Ended:
    """Run a command to its end."""
    async with running(folder, *arguments, environ=environ) as process:
        return await ended(process)


@contextlib.asynccontextmanager
async def running(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A command under way, killed in the end where it still runs."""
    process = await start(folder, *arguments, environ=environ)
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.communicate()
