"""Content-Transfer-Encoding by content: always 7-bit, always the same text back."""

import base64
import quopri

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.message import transfer_encoding
from bulkmail.message.transfer_encoding import (
    BodyText,
    Encoded,
    TextEnd,
    base64_lines,
    encode_text,
    is_plain_content,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def decoded(body: Encoded) -> bytes:
    match body.encoding:
        case "base64":
            return base64.b64decode(body.content)
        case "quoted-printable":
            return quopri.decodestring(body.content)
    return body.content


def canonical(text: str) -> bytes:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text if text.endswith("\n") else text + "\n"
    return text.replace("\n", "\r\n").encode()


@given(TEXTS | st.text(st.sampled_from("aé=. \t\r\n\0\x1b"), max_size=400))
@example("trailing space \ntab\t\n")
@example("a" * 5000)
@example("é" + "a" * 5000)
@example("亲爱的" * 500)
@example(".\n..\n.a")
@example("lone\rcr")
@example("")
def test_any_text_comes_back(text: str) -> None:
    body = encode_text(BodyText.of(text))

    assert decoded(body) == canonical(text)


@given(TEXTS | st.text(st.sampled_from("aé=. \t\r\n\x1b"), max_size=3000))
@example("a" * 989)
@example("é " + "a" * 998)
def test_what_goes_out_is_7_bit_in_short_lines_ended_by_crlf(text: str) -> None:
    body = encode_text(BodyText.of(text)).content

    assert body.isascii()
    assert b"\0" not in body
    assert body.endswith(b"\n")
    assert body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r")
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello\n", "7bit"),
        ("a" * 988, "7bit"),
        ("a" * 989, "quoted-printable"),
        ("Zoë says hello to everybody\n", "quoted-printable"),
        ("亲爱的王芳\n", "base64"),
        ("a tab\tis plain, an escape\x1b is not\n", "quoted-printable"),
        ("--=_ could be a boundary of ours\n", "quoted-printable"),
        ("text\n--=_a.0\n", "quoted-printable"),
    ],
)
def test_the_encoding_is_the_smallest_that_arrives_whole(text: str, encoding: str) -> None:
    assert encode_text(BodyText.of(text)).encoding == encoding


@given(
    TEXTS | st.text(st.sampled_from("aé=. \t\r\n-_"), max_size=400),
    TEXTS | st.text(st.sampled_from("aé=. \t\n-_"), max_size=400),
)
@example("", ".")
@example("亲爱的王芳", "亲爱的" * 50)
@example("é", "a" * 200 + " \n.")
@example("a", "--=_a.0")
@example("a", "a" * 989)
def test_a_text_whose_end_is_encoded_before_is_encoded_as_any_other(start: str, end: str) -> None:
    start += "\n"
    octets = start.encode()
    text = BodyText(octets, len(octets) - len(start), TextEnd(end))

    assert encode_text(text) == encode_text(BodyText.of(start + end))


@given(st.lists(st.integers(70, 80), max_size=5), st.sampled_from([" ", "\t", "é ", ". ", " \t"]))
@example([75], " ")
@example([74], "\t")
@example([74, 75, 73], "é ")
def test_no_quoted_line_is_longer_than_76(lengths: list[int], blanks: str) -> None:
    """RFC 2045, 6.7 (5): nor where a blank at a line's end is escaped."""
    text = "é" + "".join("a" * length + blanks + "\n" for length in lengths)
    body = encode_text(BodyText.of(text + "a" * 400))

    assert body.encoding == "quoted-printable"
    assert all(len(line) <= 76 for line in body.content.split(b"\r\n"))
    assert decoded(body) == canonical(text + "a" * 400)


@given(st.text(st.sampled_from("aé=\n "), max_size=500))
def test_quoted_printable_is_never_longer_than_base64(text: str) -> None:
    body = encode_text(BodyText.of(text))

    if body.encoding == "quoted-printable":
        assert len(body.content) <= len(base64_lines(canonical(text)).content)


@given(TEXTS | st.text(st.sampled_from("a.é=\n "), max_size=500))
@example(".")
@example("é" + "a" * 74 + "." * 80)
def test_dot_lines_are_flagged(text: str) -> None:
    body = encode_text(BodyText.of(text))

    assert body.has_dot_line == any(line.startswith(b".") for line in body.content.split(b"\r\n"))


@given(st.binary(max_size=1000))
def test_base64_keeps_every_byte_in_lines_of_76(content: bytes) -> None:
    body = base64_lines(content)

    assert base64.b64decode(body.content) == content
    assert body.content == base64.encodebytes(content).replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"A: b\r\n\r\nHello\r\n", True),
        (b"no end", True),
        (b"lone\nline feed", False),
        (b"lone\rreturn", False),
        (b"mixed\r\nends\n", False),
        (b"\xe9\r\n", False),
        (b"--=_a.0\r\n", False),
        (b"x" * 989, False),
    ],
)
def test_only_content_that_survives_goes_out_as_it_is(content: bytes, *, verdict: bool) -> None:
    assert is_plain_content(content) is verdict


@pytest.mark.parametrize("size", [113, 114, 115, 228, 1000])
def test_a_large_file_is_encoded_piece_by_piece_to_the_same_lines(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(number % 251 for number in range(size))
    monkeypatch.setattr(transfer_encoding, "_PIECE", 114)

    assert base64_lines(content).content == base64.encodebytes(content).replace(b"\n", b"\r\n")
