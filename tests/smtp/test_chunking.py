"""BDAT (RFC 3030): whole messages in the queue of outstanding commands."""

from __future__ import annotations

import pytest

from bulkmail.errors import DialogueMisuse
from bulkmail.smtp.commands import Bdat, Command, Data, Ehlo, EndOfData, Mail, Rcpt
from bulkmail.smtp.dialogue import Dialogue
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import State

WHOLE: tuple[Command, ...] = (Mail(""), Rcpt("a@x.example"), Bdat(6))


@pytest.fixture
def dialogue() -> Dialogue:
    greeted = Dialogue()
    greeted.receive(b"220 mx.example\r\n")
    greeted.send(Ehlo("me.example"))
    greeted.receive(b"250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    return greeted


def say(dialogue: Dialogue, *commands: Command) -> bytes:
    return b"".join(map(dialogue.send, commands))


def test_a_bdat_names_its_size_and_is_the_last() -> None:
    assert Bdat(4711).encode() == b"BDAT 4711 LAST\r\n"
    assert Bdat(0).masked() == "BDAT 0 LAST"


def test_messages_follow_one_another_without_a_reply(dialogue: Dialogue) -> None:
    say(dialogue, *WHOLE, *WHOLE, *WHOLE)

    exchanges = dialogue.receive(b"250 ok\r\n" * 9)

    assert [e.command.stage for e in exchanges[:3]] == [Stage.MAIL, Stage.RCPT, Stage.END_OF_DATA]
    assert dialogue.is_idle


@pytest.mark.parametrize(
    "replies",
    [
        b"250 ok\r\n550 no\r\n554 nobody\r\n",
        b"250 ok\r\n550 no\r\n250 discarded\r\n",
        b"451 later\r\n503 no\r\n503 no\r\n",
        b"550 no\r\n250 ok\r\n250 taken\r\n",
        b"250 ok\r\n250 ok\r\n452 full\r\n",
    ],
)
def test_whatever_becomes_of_one_the_next_may_be_said_and_is_heard(
    dialogue: Dialogue, replies: bytes
) -> None:
    first, rest = replies.split(b"\r\n", 1)
    say(dialogue, *WHOLE)
    dialogue.receive(first + b"\r\n")
    say(dialogue, *WHOLE)
    dialogue.receive(rest)
    say(dialogue, *WHOLE)

    exchanges = dialogue.receive(b"250 ok\r\n" * 6)

    assert len(exchanges) == 6
    assert dialogue.is_idle


@pytest.mark.parametrize(
    "commands",
    [(Bdat(1),), (Mail(""), Bdat(1)), (Mail(""), Rcpt("a@x.example"), EndOfData())],
    ids=["no MAIL", "no RCPT", "a dot without DATA"],
)
def test_content_has_a_place_behind_its_envelope_alone(
    dialogue: Dialogue, commands: tuple[Command, ...]
) -> None:
    with pytest.raises(DialogueMisuse):
        say(dialogue, *commands)


def test_a_bdat_is_no_end_of_a_data() -> None:
    dialogue = Dialogue()
    dialogue.receive(b"220 mx\r\n")
    dialogue.send(Ehlo("me"))
    dialogue.receive(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    say(dialogue, Mail(""), Rcpt("a@x.example"), Data())
    dialogue.receive(b"250 ok\r\n250 ok\r\n354 go on\r\n")

    with pytest.raises(DialogueMisuse, match="BDAT in expect content"):
        dialogue.send(Bdat(1))


def test_nothing_is_chunked_where_chunking_is_not_offered() -> None:
    dialogue = Dialogue()
    dialogue.receive(b"220 mx\r\n")
    dialogue.send(Ehlo("me"))
    dialogue.receive(b"250-mx\r\n250 PIPELINING\r\n")
    say(dialogue, Mail(""), Rcpt("a@x.example"))

    with pytest.raises(DialogueMisuse, match="CHUNKING"):
        dialogue.send(Bdat(1))


def test_a_421_in_the_window_closes(dialogue: Dialogue) -> None:
    say(dialogue, *WHOLE, *WHOLE)

    dialogue.receive(b"250 ok\r\n250 ok\r\n250 taken\r\n421 enough\r\n")

    assert dialogue.state is State.CLOSED
    assert dialogue.farewell is not None
