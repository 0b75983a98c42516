"""Writing the files of a dry run; also a process that does nothing else, until its input ends.

To make a file takes the kernel as long as we take to compose what stands in it, and a thread that
makes files fights for the interpreter's lock at each call. So a long dry run has a process of its
own for them, started by `eml_process`: ``python eml_writer.py FOLDER``, with nothing imported but
this. A request is the number of files, and for each its name and its content, lengths before
them; the answer is one errno a file, 0 where it was written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Iterable
from typing import BinaryIO

#: Files in a request.
COUNT = struct.Struct(">I")
#: Before each file: the length of its name in UTF-8, and of its content.
LENGTHS = struct.Struct(">HQ")
#: The answer for one file.
STATUS = struct.Struct(">i")


def write(folder: str, name: str, chunks: Iterable[bytes]) -> None:
    """Make the file `name` of `chunks` in `folder`: whole, or not at all. Raises `OSError`."""
    path = f"{folder}/{name}"
    partial = f"{folder}/.{name.partition('-')[0]}.part"
    try:
        # Bare calls: a file object asks for the file's state, whether it is a terminal and where
        # it stands, which is as much again as writing it.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            rest = memoryview(b"".join(chunks))
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        os.replace(partial, path)  # noqa: PTH105  # a Path costs as much as the call
    except BaseException:
        # It may not be there; the first error is the one to tell.
        with contextlib.suppress(OSError):
            os.unlink(partial)  # noqa: PTH108  # the same
        raise


def serve(folder: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Write what `source` asks for, until it ends."""
    while len(head := source.read(COUNT.size)) == COUNT.size:
        (count,) = COUNT.unpack(head)
        answer = []
        for _ in range(count):
            name_length, length = LENGTHS.unpack(source.read(LENGTHS.size))
            name = source.read(name_length).decode()
            content = source.read(length)
            if len(content) < length:
                return
            answer.append(STATUS.pack(_status(folder, name, content)))
        sink.write(b"".join(answer))
        sink.flush()


def _status(folder: str, name: str, content: bytes) -> int:
    try:
        write(folder, name, (content,))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
