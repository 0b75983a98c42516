"""Encodings and line ends."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.text_file import (
    CHUNK_SIZE,
    displayed,
    open_binary,
    text_chunks,
    text_encoding,
    text_lines,
)
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a\n", "b\n"]),
        (b"a\r\nb", ["a\r\n", "b"]),
        (b"a\rb\r", ["a\r", "b\r"]),
        (b"a\r\n\rb\n", ["a\r\n", "\r", "b\n"]),
        (b"\xef\xbb\xbfa\n", ["a\n"]),
        (b"", []),
    ],
)
def test_lines_end_as_they_may(write: Write, content: bytes, lines: list[str]) -> None:
    assert [line.text for line in text_lines(write("x.txt", content))] == lines


def test_a_line_in_another_encoding_is_named_and_reading_goes_on(write: Write) -> None:
    path = write("x.txt", b"a\n" + "李\n".encode("gb18030") + b"b\n")

    lines = list(text_lines(path))

    assert [bool(line.problem) for line in lines] == [False, True, False]
    assert lines[1].problem == "bytes that are not utf-8: try `encoding: gb18030`"


def test_a_line_whose_high_octets_stand_alone_is_western(write: Write) -> None:
    path = write("x.txt", "Jörg Müller, café\n".encode("latin-1"))

    (line,) = text_lines(path)

    assert line.problem == "bytes that are not utf-8: try `encoding: cp1252`"


@pytest.mark.parametrize("text", ["a@b.example,Grüße", "GRÖSSE ÄÖX", "L’été à Créées", "“Köökü”"])
def test_accents_side_by_side_are_western_in_a_word_of_plain_letters(
    write: Write, text: str
) -> None:
    (line,) = text_lines(write("x.txt", text.encode("cp1252")))

    assert line.problem == "bytes that are not utf-8: try `encoding: cp1252`"


@pytest.mark.parametrize("text", ["王", "鑫,Li", "张san", "A组", "a@b.example,李伟", "欧阳 B座"])
def test_pairs_that_make_no_western_word_are_chinese(write: Write, text: str) -> None:
    (line,) = text_lines(write("x.txt", text.encode("gb18030")))

    assert line.problem == "bytes that are not utf-8: try `encoding: gb18030`"


def test_wide_encodings_are_read_by_their_own_line_ends(write: Write) -> None:
    path = write("x.txt", "上\n海\n".encode("utf-16"))

    assert [line.text for line in text_lines(path, "utf-16")] == ["上\n", "海\n"]


def test_wrong_bytes_far_down_are_found_at_their_line(write: Write) -> None:
    good = "字" * 20 + "\n"
    count = 2 * CHUNK_SIZE // len(good.encode())
    path = write("x.txt", (good * count).encode() + b"\xff\n")

    with pytest.raises(ConfigurationError, match=f"x.txt:{count + 1}  bytes that are not utf-8"):
        list(text_chunks(path))


@pytest.mark.parametrize("name", ["utf8x", "", "hex", "rot13", "a\0b", "x" * 300])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an encoding known here"):
        text_encoding(name)


@pytest.mark.parametrize(
    ("name", "codec"), [("UTF-8", "utf-8-sig"), ("GBK", "gbk"), ("gb18030", "gb18030")]
)
def test_a_known_encoding_is_the_codec_of_that_name(name: str, codec: str) -> None:
    assert text_encoding(name) == codec


def test_a_pipe_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigurationError, match="pipe  this is a pipe or a device"):
        open_binary(tmp_path / "pipe")


def test_what_a_shell_hands_over_is_read(tmp_path: Path) -> None:
    heard, said = os.pipe()
    os.write(said, b"a@example.com\n")
    os.close(said)
    (tmp_path / "stdin").symlink_to(f"/dev/fd/{heard}")

    with open_binary(tmp_path / "stdin") as file:
        content = file.read()
    os.close(heard)

    assert content == b"a@example.com\n"


def test_a_path_is_shown_as_its_user_would_name_it(project: Path) -> None:
    assert displayed(project / "campaigns" / "x.csv") == "campaigns/x.csv"
    assert displayed(project.parent / "x.csv") == str(project.parent / "x.csv")
