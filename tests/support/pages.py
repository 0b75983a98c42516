"""Pages of documentation as what they say: blocks, commands, headings, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: A paragraph that ends with a file's name in backticks and a colon: the next block is that file.
_FILE = re.compile(r"`([\w./-]+)`\s*[:：]$")
_FENCE = re.compile(r"^( *)```(\w*)$")
_COMMENT = re.compile(r"(^|\s+)#(\s.*)?$")
_EXIT_CODE = re.compile(r"^\[exit code (\d+)\]$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    #: The line of its opening fence, from 1.
    line: int
    #: The file it is, where the page says so; else "".
    file: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code that a block of output ends with, where it tells one; else 0."""
        found = _EXIT_CODE.search(self.text)
        return int(found[1]) if found else 0

    def without_comments(self) -> str:
        lines = (_COMMENT.sub("", line) for line in self.text.splitlines())
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True)
class Command:
    """One line of an `sh` block."""

    text: str
    line: int


class Page:
    """A Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        found, language, indent, body, start, before = [], None, 0, [""], 0, ""
        for number, line in enumerate(self.text.splitlines(), 1):
            fence = _FENCE.match(line)
            if language is None and fence:
                indent, language, body, start = len(fence[1]), fence[2], [], number
            elif language is not None and line.strip() == "```":
                named = _FILE.search(before)
                found.append(
                    Block(language, "\n".join(body) + "\n", start, named[1] if named else "")
                )
                language, before = None, ""
            elif language is not None:
                body.append(line[indent:])
            elif line.strip():
                before = line.strip()
        return found

    @cached_property
    def prose(self) -> str:
        """The text outside of the blocks, the lines of which are left blank."""
        lines = self.text.splitlines()
        for block in self.blocks:
            for number in range(block.line - 1, block.line + len(block.text.splitlines()) + 1):
                lines[number] = ""
        return "\n".join(lines)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each."""
        found = re.findall(r"^(#+) (.+)$", self.prose, re.MULTILINE)
        return [(len(marks), text) for marks, text in found]

    @property
    def anchors(self) -> set[str]:
        """Of its headings, as a reader of Markdown makes them."""
        return {
            re.sub(r"[^\w -]", "", text.lower()).strip().replace(" ", "-")
            for _, text in self.headings
        }

    @property
    def links(self) -> list[str]:
        return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", self.prose)

    @property
    def commands(self) -> list[Command]:
        return [command for block in self.blocks for command in commands(block)]


def commands(block: Block) -> list[Command]:
    """The commands of an `sh` block, a line each."""
    if block.language != "sh":
        return []
    found = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        text = _COMMENT.sub("", line).strip()
        if text:
            found.append(Command(text, number))
    return found
