import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.transport import blocks as module
from bulkmail.transport.blocks import BLOCK_SIZE, Piece, blocks, blocks_of, with_files
from bulkmail.transport.byte_stream import Bytes


def octets(block: list[Bytes] | SharedFile) -> list[Bytes]:
    assert isinstance(block, list)
    return block


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_blocks_joined_are_the_content(lengths: list[int], size: int) -> None:
    chunks = [bytes([65 + n]) * length for n, length in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_SIZE", size)
        cut = [(b"".join(octets(block)), is_last) for block, is_last in blocks(chunks)]

    assert b"".join(block for block, _ in cut) == b"".join(chunks)
    assert [is_last for _, is_last in cut] == [False] * (len(cut) - 1) + [True]
    assert all(len(block) <= size for block, _ in cut)


def test_small_content_is_one_block() -> None:
    found = list(blocks([b"a" * BLOCK_SIZE]))

    assert found == [([b"a" * BLOCK_SIZE], True)]


def test_a_long_chunk_is_not_copied() -> None:
    chunk = b"a" * (3 * BLOCK_SIZE)

    pieces = [piece for block, _ in blocks([chunk]) for piece in octets(block)]

    assert len(pieces) == 3
    assert all(isinstance(piece, memoryview) and piece.obj is chunk for piece in pieces)


def test_a_file_is_a_block_of_its_own_in_its_place() -> None:
    file = SharedFile(b"a" * BLOCK_SIZE)
    pieces: list[Piece] = [b"before", file, b"between", file, b"behind"]

    found = list(blocks(pieces))

    assert found == [
        ([b"before"], False),
        (file, False),
        ([b"between"], False),
        (file, False),
        ([b"behind"], True),
    ]


def test_content_that_ends_in_a_file_ends_in_octets() -> None:
    file = SharedFile(b"a" * BLOCK_SIZE)

    assert list(blocks([file])) == [(file, False), ([], True)]


def enclosure(body: bytes) -> Enclosure:
    return Enclosure(name="a", size=1, sha256="", body=body, shared=SharedFile(body))


def test_a_large_file_is_the_system_s_to_send_from_its_second_message_on() -> None:
    file = enclosure(b"a" * (BLOCK_SIZE + 1))
    chunks = (b"header", file.body, b"end")

    first, second = (list(with_files(chunks, [file])) for _ in range(2))

    assert first == list(chunks)
    assert second == [b"header", file.shared, b"end"]


def test_a_small_file_is_written_in_every_message() -> None:
    file = enclosure(b"a" * BLOCK_SIZE)

    found = [list(with_files([file.body], [file])) for _ in range(3)]

    assert found == [[file.body]] * 3


@pytest.mark.parametrize("size", [0, BLOCK_SIZE, BLOCK_SIZE + 1])
def test_content_of_about_a_block_s_size_is_cut_or_not_and_is_the_same(size: int) -> None:
    chunks = [b"a", b"b" * (size - 1)] if size else []

    found = list(blocks_of(chunks, size))

    assert b"".join(piece for block, _ in found for piece in octets(block)) == b"".join(chunks)
    assert [is_last for _, is_last in found] == ([False, True] if size > BLOCK_SIZE else [True])
