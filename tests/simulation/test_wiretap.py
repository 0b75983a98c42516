"""What a client says on a line, told apart however its bytes are cut."""

from __future__ import annotations

import pytest
from simulation.wiretap import Wiretap

GLUED = (
    b"EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@y> NOTIFY=NEVER\r\nDATA\r\n"
    b"Subject: MAIL FROM:\r\n\r\n..a dot\r\nRCPT TO:<no@x>\r\n.\r\n"
    b"MAIL FROM:<a@x>\r\nRCPT TO:<d@x>\r\nDATA\r\nRSET\r\n"
    b"MAIL FROM:<a@x>\r\nRCPT TO:<e@x>\r\nBDAT 6\r\n\r\n.\r\n!BDAT 2 LAST\r\nhiQUIT\r\n"
)
SAID = [
    ("mail", ""),
    ("rcpt", "b@x"),
    ("rcpt", "c@y"),
    ("dot", ""),
    ("mail", ""),
    ("rcpt", "d@x"),
    ("mail", ""),
    ("rcpt", "e@x"),
    ("dot", ""),
    ("quit", ""),
]


@pytest.mark.parametrize("size", [1000, 41])
def test_commands_are_told_from_content(size: int) -> None:
    tap = Wiretap()
    said: list[tuple[str, str]] = []
    for start in range(0, len(GLUED), size):
        said += tap.hear(GLUED[start : start + size])

    assert said == SAID


def test_a_lone_dot_ends_an_empty_content() -> None:
    assert list(Wiretap().hear(b"DATA\r\n.\r\nMAIL FROM:<>\r\n")) == [("dot", ""), ("mail", "")]


def test_the_end_of_a_long_content_is_found_across_writes() -> None:
    tap = Wiretap()

    said = [tuple(tap.hear(part)) for part in (b"DATA\r\n", b"x" * 50 + b"\r\n.", b"\r\n")]

    assert said == [(), (), (("dot", ""),)]
