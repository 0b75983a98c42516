"""A process that makes PDFs of typst templates, one after the other, until its input ends.

A request is four bytes of length and as many of JSON; an answer is one byte (0: a PDF, 1: a
sentence about what is wrong), four of length, and that; then four of length again, and what is to
be remarked about the PDF. It is started by typst_pool.py.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

import typst

from bulkmail.message.pdf.missing_glyphs import MissingGlyphs
from bulkmail.message.pdf.typst_wire import DONE, FAILED, LENGTH, framed


class Typst:
    """What is kept from one request to the next: fonts are read once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Any, MissingGlyphs]] = {}

    def answer(self, request: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        """The answer to one request: its status, its content, its remark."""
        path, root, data = request["path"], request["root"], request["data"]
        inputs = {"sys_inputs": {"data": data}, "timestamp": request["timestamp"]}
        try:
            if (path, root) not in self._kept:
                self._kept[path, root] = typst.Compiler(path, root=root), MissingGlyphs()
            compiler, missing = self._kept[path, root]
            pdf = compiler.compile(format="pdf", **inputs)
        except typst.TypstError as error:
            return FAILED, _sentence(error).encode(), b""
        except (RuntimeError, OSError, ValueError) as error:
            return FAILED, str(error).encode(), b""
        return DONE, pdf, missing.remark(data, lambda: _archival(compiler, inputs)).encode()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until `source` ends."""
    typesetter = Typst()
    while head := source.read(LENGTH.size):
        request = json.loads(source.read(*LENGTH.unpack(head)))
        status, content, remark = typesetter.answer(request)
        sink.write(status + framed(content) + framed(remark))
        sink.flush()


def _archival(compiler: Any, inputs: dict[str, Any]) -> str:
    """What typst says of the same letter as PDF/A-3b, the widest of the kind; "": nothing."""
    try:
        compiler.compile(format="pdf", pdf_standards="a-3b", **inputs)
    except typst.TypstError as error:
        return str(error.diagnostic)
    return ""


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
