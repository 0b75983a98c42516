"""How typst_pool.py and typst_worker.py talk: framed bytes over a pipe."""

from __future__ import annotations

import struct

#: Goes before each request, and before each part of an answer.
LENGTH = struct.Struct(">I")
#: The status: a PDF follows, or a sentence about what is wrong.
DONE, FAILED = b"\0", b"\1"


def framed(content: bytes) -> bytes:
    """Its length, and the content."""
    return LENGTH.pack(len(content)) + content
