"""Run a command of ours and see what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took, as the kernel counted it. Times in seconds."""

    wall: float
    #: User and system time together.
    cpu: float
    peak_rss_mib: float


def bulkmail(*arguments: str, folder: Path | None = None) -> Cost:
    """Run ``bulkmail ARGUMENTS`` to its end. Raises CalledProcessError unless it exits with 0."""
    return run([sys.executable, "-m", "bulkmail", *arguments], folder=folder)


def run(
    command: Sequence[str], *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> Cost:
    """Run a command, and what it starts and waits for, to its end. Raises as `bulkmail` does."""
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
