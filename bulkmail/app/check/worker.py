"""A process that checks rows, until its input ends. It is started by `crew`.

First it is told the campaign and the addresses that get no copies; then each request is a
`Question`. All of it is pickled, a length before it: it comes from our own parent.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
import sys
from typing import IO, Any, BinaryIO

from bulkmail.app.check.row import answers
from bulkmail.app.loop import look_for_garbage
from bulkmail.message.composer import Composer

#: Before each request, and each answer.
LENGTH = struct.Struct(">Q")


def packed(value: object) -> bytes:
    """As it travels."""
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(content)) + content


def received(source: IO[bytes]) -> Any:
    """The next value. Raises `EOFError` when there is none."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    content = source.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)  # noqa: S301  # from our own parent, or child


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until `source` ends."""
    with asyncio.Runner() as runner:
        try:
            campaign, is_suppressed = received(source)
            composer = Composer(campaign, is_suppressed=is_suppressed)
            look_for_garbage()
            while True:
                found = runner.run(answers(received(source), composer))
                sink.write(packed(found))
                sink.flush()
        except EOFError:
            return


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
