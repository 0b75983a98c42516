"""A page followed to the letter: its files written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Self

from support.pages import Block, Command, Page, commands

#: The port that pages name for the local server; a walk puts a free one in its place.
PORT = "2525"
#: What needs more than this machine has, or a person at a screen.
_ELSEWHERE = re.compile(
    r"make |python3 -m venv|\. \.venv|pip |git |export |.* --browser|.* --online"
    r"|bulkmail probe (--server primary|smtp\.)|bulkmail demo"
)
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:[.:]\d+)*")


def is_for_here(command: Command) -> bool:
    """Whether a walk runs `command`."""
    return not _ELSEWHERE.match(command.text)


class Walk:
    """Follows one page in a folder of its own."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder
        self._port = PORT
        self._sink: subprocess.Popen[str] | None = None
        self._environment = {**os.environ, "PATH": f"{_shims(folder)}:{os.environ['PATH']}"}
        self._environment |= {"PYTHONWARNINGS": "error", "COLUMNS": "200"}
        #: The folder the page is in now.
        self.here = folder / "walk"
        self.here.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sink is not None:
            self._sink.terminate()
            self._sink.communicate()

    def follow(self) -> None:
        """Go through the whole page; an `AssertionError` names the line at which it is wrong."""
        output = ""
        blocks = self._page.blocks
        for block, following in zip_longest(blocks, blocks[1:]):
            if block.file:
                self._write(block)
            elif here := [command for command in commands(block) if is_for_here(command)]:
                is_told = following is not None and following.language == "text"
                codes = [0] * (len(here) - 1) + [following.exit_code if is_told else 0]
                output = "\n".join(map(self._run, here, codes))
            elif block.language == "text" and output:
                compare(block, output, self._page.path)

    def run(self, arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run one command line of our own; its output."""
        done = subprocess.run(
            ["sh", "-c", arguments],
            cwd=self.here,
            env={**self._environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return f"{done.stdout}\n[exit code {done.returncode}]"

    def _write(self, block: Block) -> None:
        path = self.here / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text.replace(PORT, self._port), "utf-8")

    def _run(self, command: Command, exit_code: int) -> str:
        words = shlex.split(command.text)
        if words[0] == "cd":
            self.here = self.here / words[1]
            return ""
        if words[:2] == ["bulkmail", "sink"] and words[-1] == "&":
            self._start_sink(words[2:-1])
            return ""
        output = self.run(command.text.replace(PORT, self._port))
        where = f"{self._page.path.name}:{command.line}: {command.text}"
        assert output.endswith(f"[exit code {exit_code}]"), f"{where}\n{output}"
        return output

    def _start_sink(self, options: list[str]) -> None:
        self._sink = subprocess.Popen(
            [sys.executable, "-m", "bulkmail", "sink", *options, "--port", "0"],
            cwd=self.here,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._sink.stdout is not None
        line = self._sink.stdout.readline()
        found = _LISTENING.match(line)
        assert found, line
        self._port = found[1]
        for path in self.here.rglob("*.yaml"):
            path.write_text(path.read_text("utf-8").replace(PORT, self._port), "utf-8")


def compare(block: Block, output: str, path: Path) -> None:
    """Each line of `block` stands in `output`, whatever its numbers are; … is anything.

    A rate is told of what took a while, as it may here and not there.
    """
    there = _NUMBER.sub("0", output).replace(" (0/s)", "")
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        line_there = _NUMBER.sub("0", line.strip()).replace(" (0/s)", "")
        parts = line_there.split("…")
        pattern = ".*".join(map(re.escape, parts))
        assert re.search(pattern, there), f"{path.name}:{number}: {line}\nis not in\n{output}"


def _shims(folder: Path) -> Path:
    """A folder in which `bulkmail` and `python3` are those that run this test."""
    shims = folder / "bin"
    shims.mkdir()
    python = shlex.quote(sys.executable)
    for name, command in (("bulkmail", f"{python} -m bulkmail"), ("python3", python)):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
        shim.chmod(0o755)
    return shims
