"""Content cut into blocks, so that what is on its way is bounded whatever an attachment weighs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bulkmail.transport.stream import Bytes

#: Octets of a block. Content up to this size goes out in one write; of a large attachment each
#: block is a call of the system and a look at what the server says meanwhile.
BLOCK_SIZE = 262_144


def blocks(chunks: Iterable[bytes]) -> Iterator[tuple[list[Bytes], bool]]:
    """`chunks` in blocks, and whether each is the last; it may be empty.

    Long chunks are cut without a copy.
    """
    block: list[Bytes] = []
    size = 0
    for chunk in chunks:
        for piece in _pieces(chunk):
            if block and size + len(piece) > BLOCK_SIZE:
                yield block, False
                block, size = [], 0
            block.append(piece)
            size += len(piece)
    yield block, True


def _pieces(chunk: bytes) -> Iterator[Bytes]:
    if len(chunk) <= BLOCK_SIZE:
        yield chunk
        return
    view = memoryview(chunk)
    for start in range(0, len(chunk), BLOCK_SIZE):
        yield view[start : start + BLOCK_SIZE]
