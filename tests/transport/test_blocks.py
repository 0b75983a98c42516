import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.transport import blocks as module
from bulkmail.transport.blocks import BLOCK_SIZE, blocks


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_blocks_joined_are_the_content(lengths: list[int], size: int) -> None:
    chunks = [bytes([65 + n]) * length for n, length in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_SIZE", size)
        cut = [(b"".join(block), is_last) for block, is_last in blocks(chunks)]

    assert b"".join(block for block, _ in cut) == b"".join(chunks)
    assert [is_last for _, is_last in cut] == [False] * (len(cut) - 1) + [True]
    assert all(len(block) <= size for block, _ in cut)


def test_small_content_is_one_block() -> None:
    found = list(blocks([b"a" * BLOCK_SIZE]))

    assert found == [([b"a" * BLOCK_SIZE], True)]


def test_a_long_chunk_is_not_copied() -> None:
    chunk = b"a" * (3 * BLOCK_SIZE)

    pieces = [piece for block, _ in blocks([chunk]) for piece in block]

    assert len(pieces) == 3
    assert all(isinstance(piece, memoryview) and piece.obj is chunk for piece in pieces)
