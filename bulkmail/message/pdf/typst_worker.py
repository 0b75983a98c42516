"""A process that makes PDFs of typst templates, one after the other, until its input ends.

A request is four bytes of length and as many of JSON; an answer is one byte (0: a PDF, 1: a
sentence about what is wrong), four of length, and that. It is started by typst_pool.py.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

import typst

from bulkmail.message.pdf.typst_wire import DONE, FAILED, LENGTH


def answer(request: dict[str, Any], compilers: dict[tuple[str, str], Any]) -> tuple[bytes, bytes]:
    """The answer to one request. `compilers` are kept from one to the next: fonts are read once."""
    key = request["path"], request["root"]
    try:
        if key not in compilers:
            compilers[key] = typst.Compiler(key[0], root=key[1])
        pdf = compilers[key].compile(
            format="pdf",
            sys_inputs={"data": request["data"]},
            timestamp=request["timestamp"],
        )
    except typst.TypstError as error:
        return FAILED, _sentence(error).encode()
    except (RuntimeError, OSError, ValueError) as error:
        return FAILED, str(error).encode()
    return DONE, pdf


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until `source` ends."""
    compilers: dict[tuple[str, str], Any] = {}
    while head := source.read(LENGTH.size):
        request = json.loads(source.read(*LENGTH.unpack(head)))
        status, content = answer(request, compilers)
        sink.write(status + LENGTH.pack(len(content)) + content)
        sink.flush()


def _sentence(error: Any) -> str:
    """What typst says, its line, and its first hint."""
    place = ""
    for line in str(error.diagnostic).splitlines():
        if "┌─" in line:
            place = ":".join(line.rsplit(":", 2)[1:])
            break
    hint = f" ({error.hints[0]})" if error.hints else ""
    return f"{'line ' + place + ': ' if place else ''}{error.message}{hint}"


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
