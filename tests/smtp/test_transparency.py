"""Dot stuffing is undone by what RFC 5321 tells a server to do, wherever the chunks are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smtp.cutting import cut

from bulkmail.smtp.transparency import has_leading_dot, normalised, stuff


def stuffed(*chunks: bytes) -> bytes:
    return b"".join(stuff(chunks))


def received(wire: bytes) -> bytes:
    """What a server makes of it (RFC 5321, 4.5.2), strictly by CRLF."""
    lines = (wire + b".\r\n").split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([], b"", id="nothing"),
        pytest.param([b""], b"", id="an empty chunk"),
        pytest.param([b"a\r\n"], b"a\r\n", id="no dot"),
        pytest.param([b"a"], b"a\r\n", id="no line end"),
        pytest.param([b"a\r"], b"a\r\r\n", id="half a line end"),
        pytest.param([b"a\r", b"\n"], b"a\r\n", id="a line end in two"),
        pytest.param([b".\r\n"], b"..\r\n", id="a dot at the beginning"),
        pytest.param([b"."], b"..\r\n", id="a dot alone"),
        pytest.param([b"a\r\n.\r\n"], b"a\r\n..\r\n", id="the end of data"),
        pytest.param([b"a\r\n", b".b\r\n"], b"a\r\n..b\r\n", id="a chunk that begins with a dot"),
        pytest.param([b"a\r", b"\n.b\r\n"], b"a\r\n..b\r\n", id="a line end in two, and a dot"),
        pytest.param([b"a\r\n", b"", b".\r\n"], b"a\r\n..\r\n", id="an empty chunk between"),
        pytest.param([b"a", b".b", b"\n.c"], b"a.b\n.c\r\n", id="dots inside a line"),
        pytest.param([b".", b"."], b"...\r\n", id="two dots"),
        pytest.param([b"\r\n.\r\n.\r\n"], b"\r\n..\r\n..\r\n", id="one behind another"),
        pytest.param([b"\n.a\r\n"], b"\n.a\r\n", id="a lone LF at the beginning"),
    ],
)
def test_each_leading_dot_is_doubled(chunks: list[bytes], expected: bytes) -> None:
    assert stuffed(*chunks) == expected


_octets = st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"a", b"\0"])).map(b"".join)


@given(content=_octets, places=st.lists(st.integers(0, 100), max_size=8))
def test_a_server_gets_back_what_was_stuffed(content: bytes, places: list[int]) -> None:
    content = normalised(content)

    assert received(stuffed(*cut(content, places))) == content


@given(content=_octets, places=st.lists(st.integers(0, 100), max_size=8))
def test_any_cut_is_stuffed_alike(content: bytes, places: list[int]) -> None:
    assert stuffed(*cut(content, places)) == stuffed(content)


@given(_octets)
def test_content_without_a_leading_dot_is_stuffed_with_nothing(content: bytes) -> None:
    whole = normalised(content)

    assert has_leading_dot(whole) is (stuffed(whole) != whole)


def test_a_chunk_without_a_dot_line_is_the_same_object() -> None:
    first, shared = b"a\r\n", b"base64base64\r\n" * 1000

    assert list(stuff([first, shared]))[1] is shared


def test_a_chunk_is_not_copied_for_a_dot_before_it() -> None:
    chunk = b".base64\r\n" + b"base64base64\r\n" * 1000

    dot, same = stuff([chunk])

    assert dot == b"."
    assert same is chunk


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b"\r\n"),
        (b"a", b"a\r\n"),
        (b"a\n", b"a\r\n"),
        (b"a\r", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b"a\n\nb", b"a\r\n\r\nb\r\n"),
        (b"a\r\rb\r\n", b"a\r\n\r\nb\r\n"),
        (b"a\n\rb", b"a\r\n\r\nb\r\n"),
        (b"a\r\r\nb", b"a\r\n\r\nb\r\n"),
        (b"a\n.\nb", b"a\r\n.\r\nb\r\n"),
    ],
)
def test_every_line_end_becomes_crlf(content: bytes, expected: bytes) -> None:
    assert normalised(content) == expected


@given(_octets)
def test_normalised_content_has_no_lone_cr_or_lf(content: bytes) -> None:
    result = normalised(content)

    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", result)
    assert result.endswith(b"\r\n")
    assert normalised(result) is result
