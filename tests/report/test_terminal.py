from __future__ import annotations

import io
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.terminal import SteadyStream, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("李伟 <li@example.com>", "李伟 <li@example.com>"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("one\r\ntwo", r"one\x0d\x0atwo"),
        ("\x9b31m", r"\x9b31m"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_controls_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_visible_controls_a_terminal(text: str) -> None:
    shown = visible(text)

    assert len(shown.splitlines()) <= 1
    assert all(ord(character) >= 0x20 and not 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")


class Gone(io.StringIO):
    def write(self, _text: str) -> NoReturn:
        raise BrokenPipeError

    def flush(self) -> NoReturn:
        raise BrokenPipeError


def test_progress_outlives_its_reader() -> None:
    steady = SteadyStream(Gone())

    assert steady.write("on its way") == len("on its way")
    steady.flush()


def test_progress_outlives_a_closed_stream() -> None:
    stream = io.StringIO()
    stream.close()

    steady = SteadyStream(stream)

    assert steady.write("on its way") == len("on its way")
    assert not steady.isatty()
