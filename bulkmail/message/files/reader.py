"""Files for messages, read whole and encoded in one thread hop; the last few stay at hand.

By aiofiles' `wrap`: to open, to read and to close were three hops, and a hop costs as much as a
small file.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from dataclasses import field
from pathlib import Path

from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.transfer_encoding import Encoded, base64_lines, is_plain_content, plain
from bulkmail.value_class import value_class

#: Most encoded octets that are kept for the next row that has the same file.
KEPT_SIZE = 16 << 20
#: Octets of a file at most: no server takes a message that large, and memory may not.
MAX_SIZE = 1 << 30
#: Octets asked for at first: most rows' own files come in one go. More costs a mapping of memory.
_READ = 1 << 16
#: Octets asked for at a time of a larger one.
_READ_ON = 1 << 20


@value_class
class FileBody:
    """A file's content as a part's body."""

    body: Encoded
    #: Octets of the file.
    size: int
    #: Of the file, in hex.
    sha256: str
    #: ``utf-8`` for text beyond ASCII: a reader has to be told. Else nothing.
    charset: str = ""
    #: The body again, for whoever sends it.
    shared: SharedFile | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, content: bytes, body: Encoded | None = None, charset: str = "") -> FileBody:
        """The body of a file with this content; base64, unless it is encoded already."""
        digest = hashlib.sha256(content).hexdigest()
        body = body or base64_lines(content)
        return cls(body, len(content), digest, charset, SharedFile(body.content))


class FileReader:
    """Reads and encodes; a file that has not changed since the last rows is not read again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int, str], FileBody] = OrderedDict()
        self._size = 0

    async def read(self, path: Path, kind: str, *, at_once: bool = False) -> FileBody:
        """The file's body; `kind` is what stands before the slash of its media type.

        `at_once`: here and now, where a thread's hop would cost more than it is good for.
        Raises `OSError` when it cannot be read, `ValueError` when it is empty, or far too large.
        """
        key = _key(path, kind)
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        if key[2] > MAX_SIZE:
            raise ValueError(f"is larger than {MAX_SIZE >> 30} GiB")
        encoded: FileBody = _loaded(path, kind) if at_once else await _loaded_aside(path, kind)
        self._keep(key, encoded)
        return encoded

    def _keep(self, key: tuple[str, int, int, str], body: FileBody) -> None:
        size = len(body.body.content)
        if size > KEPT_SIZE or key in self._kept:
            return
        self._kept[key] = body
        self._size += size
        while self._size > KEPT_SIZE:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.body.content)


def _key(path: Path, kind: str) -> tuple[str, int, int, str]:
    """What tells a file's content from another's; one system call, cheaper than a thread's hop."""
    # A Path is slow to look up by: it is taken apart for its hash.
    text = os.fspath(path)
    status = os.stat(text)  # noqa: PTH116
    return text, status.st_mtime_ns, status.st_size, kind


def _loaded(path: Path, kind: str) -> FileBody:
    content = _content(os.fspath(path))
    if not content:
        raise ValueError("is empty")
    return _encoded(content, kind)


def _content(path: str) -> bytes:
    """All of the file, by bare calls: a file object asks for its state, twice, and its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces, size = [], _READ
        while piece := os.read(descriptor, size):
            pieces.append(piece)
            size = _READ_ON if len(piece) == size else _READ
    finally:
        os.close(descriptor)
    return b"".join(pieces)


async def _loaded_aside(path: Path, kind: str) -> FileBody:
    # Most letters have no file.
    from aiofiles.os import wrap  # noqa: PLC0415

    body: FileBody = await wrap(_loaded)(path, kind)
    return body


def _encoded(content: bytes, kind: str) -> FileBody:
    if kind == "message" and is_plain_content(content):
        return FileBody.of(content, plain(content))
    charset = "utf-8" if kind == "text" and _is_utf8(content) else ""
    return FileBody.of(content, charset=charset)


def _is_utf8(content: bytes) -> bool:
    """Whether it is UTF-8 beyond ASCII."""
    if content.isascii():
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
