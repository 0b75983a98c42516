"""A server that cannot bear QUIT behind messages that have no reply yet."""

from __future__ import annotations

from random import Random

import pytest
from simulation.smtp_server import Books, ServerSide
from simulation.temper import Act, Temper

MESSAGE = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 2 LAST\r\nhi"
QUIT = b"QUIT\r\n"


@pytest.fixture
def books() -> Books:
    return Books("mx", Temper(dice=Random(1), shock=Act.RESET))


def served(books: Books) -> ServerSide:
    server = ServerSide(books, "run")
    server.greet(0.0)
    return server


def test_read_by_itself_it_is_a_quit_like_any_other(books: Books) -> None:
    server = served(books)

    assert len(server.feed(MESSAGE, 1.0)) == 3
    assert server.feed(QUIT, 1.1) == [b"221 2.0.0 bye\r\n", Act.CLOSE]
    assert not server.is_shocked


def test_read_with_messages_it_ends_without_a_word_whether_or_not_they_are_taken(
    books: Books,
) -> None:
    for _ in range(20):
        server = served(books)
        assert server.feed(MESSAGE + QUIT, 1.0) == [Act.RESET]
        assert server.is_shocked

    assert 0 < len(books.taken) < 20
