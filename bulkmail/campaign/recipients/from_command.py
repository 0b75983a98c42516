"""Recipients that a program prints: run without a shell, its output spooled and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from bulkmail.campaign.recipients.origin import NoList, Unusable, first_line
from bulkmail.child_environment import child_environment

_CHUNK = 1 << 16
#: What is kept of what it says on stderr, to show its first line.
_KEPT = 8192


async def run_command(words: Sequence[str], folder: Path, target: Path, *, max_bytes: int) -> None:
    """Run it in `folder`, and write what it prints to `target`.

    Raises `NoList` where it ends in any other way than with 0, or gives too much; `Unusable` where
    it cannot be started. Cut short, it is killed with all that it started.
    """
    try:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *words,
                cwd=folder,
                env=child_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It may run already, with children that asyncio knows nothing of.
            await _end(await starting)
            raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unusable(f"`{words[0]}` cannot be run: {reason}") from error
    try:
        said, _ = await asyncio.gather(
            _first_of(process.stderr), _spool(process.stdout, target, max_bytes)
        )
        code = await process.wait()
    except BaseException:
        await asyncio.shield(_end(process))
        raise
    if code:
        how = f"exit status {code}" if code > 0 else f"ended by signal {-code}"
        line = first_line(said.decode(errors="replace"))
        raise NoList(f"{how}: {line}" if line else f"{how}, and it said nothing on stderr")


async def _spool(stdout: asyncio.StreamReader | None, target: Path, max_bytes: int) -> None:
    if stdout is None:
        raise AssertionError("a pipe was asked for")
    size = 0
    with target.open("xb") as file:
        while chunk := await stdout.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise NoList(f"it printed more than {max_bytes // 1_000_000} MB (`max_mb`)")
            file.write(chunk)


async def _first_of(stderr: asyncio.StreamReader | None) -> bytes:
    """All is read, so that it never waits for us; the beginning is kept."""
    kept = b""
    while stderr is not None and (chunk := await stderr.read(_CHUNK)):
        kept = (kept + chunk)[:_KEPT]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the program's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # wait() would wait for the pipes' ends, too, of which one is not read any more. To close the
    # whole transport would take the exit status from under the watcher, which then warns.
    for number in (1, 2):
        pipe = process._transport.get_pipe_transport(number)  # type: ignore[attr-defined]  # noqa: SLF001
        if pipe is not None:
            pipe.close()
    await process.wait()
