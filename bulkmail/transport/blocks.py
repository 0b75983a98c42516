"""Content cut into blocks, so that what is on its way is bounded whatever an attachment weighs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, cast

from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.transport.byte_stream import Bytes

#: Octets of a block. Content up to this size goes out in one write; of a large attachment each
#: block is a call of the system and a look at what the server says meanwhile.
BLOCK_SIZE = 262_144

#: A part of the content: octets, or a file that the system sends.
Piece: TypeAlias = bytes | SharedFile


def with_files(chunks: Iterable[bytes], files: Sequence[Enclosure]) -> Iterable[Piece]:
    """`chunks`, in which large files that many messages carry are for the system to send."""
    if not files:
        return chunks
    shared = {
        id(file.body): file.shared
        for file in files
        if len(file.body) > BLOCK_SIZE and file.shared is not None and file.shared.opens()
    }
    return (shared.get(id(chunk), chunk) for chunk in chunks) if shared else chunks


def blocks(pieces: Iterable[Piece]) -> Iterator[tuple[list[Bytes] | SharedFile, bool]]:
    """`pieces` in blocks, and whether each is the last, which is octets; it may be empty.

    Long pieces are cut without a copy; a file is a block of its own, whole.
    """
    block: list[Bytes] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, SharedFile):
            if block:
                yield block, False
            yield piece, False
            block, size = [], 0
            continue
        for octets in _cut(piece):
            if block and size + len(octets) > BLOCK_SIZE:
                yield block, False
                block, size = [], 0
            block.append(octets)
            size += len(octets)
    yield block, True


def blocks_of(
    pieces: Iterable[Piece], size: int
) -> Iterable[tuple[list[Bytes] | SharedFile, bool]]:
    """`blocks` of what comes to `size` octets: nearly all there is is one, and not looked at."""
    if size > BLOCK_SIZE:
        return blocks(pieces)
    # A file that the system sends is larger.
    return ((cast("list[Bytes]", [*pieces]), True),)


def _cut(piece: bytes) -> Iterator[Bytes]:
    if len(piece) <= BLOCK_SIZE:
        yield piece
        return
    view = memoryview(piece)
    for start in range(0, len(piece), BLOCK_SIZE):
        yield view[start : start + BLOCK_SIZE]
