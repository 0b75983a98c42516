"""Groups of commands (RFC 2920), and the next envelope behind the final dot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smtp.cutting import cut
from smtp.scripted_server import ScriptedServer

from bulkmail.errors import ConnectionLost, DialogueMisuse, ProtocolViolation
from bulkmail.secret import Secret
from bulkmail.smtp.commands import (
    Auth,
    Command,
    Data,
    Ehlo,
    EndOfData,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.states import State

A, B = Rcpt("a@x.example"), Rcpt("b@x.example")


def codes(server: ScriptedServer, *lines: str) -> list[int]:
    return [reply.code for reply in server.says(*lines)]


def content_expected(server: ScriptedServer) -> None:
    server.hears(Mail(""), A, Data())
    server.says("250 ok", "250 ok", "354 go on")


def test_an_envelope_goes_out_in_one_group(pipelined: ScriptedServer) -> None:
    sent = pipelined.hears(Mail("f@x.example"), A, B, Data())

    assert sent == (
        b"MAIL FROM:<f@x.example>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"
    )
    assert codes(pipelined, "250 ok", "250 ok") == [250, 250]
    assert pipelined.dialogue.outstanding == (B, Data())
    assert codes(pipelined, "550 no", "354 go on") == [550, 354]
    assert pipelined.is_in(State.EXPECT_CONTENT)


@pytest.mark.parametrize(
    "last",
    [
        Ehlo("me"),
        StartTls(),
        Auth("PLAIN", Secret("AGEAYg==")),
        Noop(),
        Vrfy("a"),
        Quit(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_some_commands_are_the_last_of_a_group(pipelined: ScriptedServer, last: Command) -> None:
    pipelined.hears(Rset(), last)

    with pytest.raises(DialogueMisuse, match="behind"):
        pipelined.hears(Rset())


def test_data_is_the_last_of_a_group(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), A, Data())

    with pytest.raises(DialogueMisuse, match="end of data behind data"):
        pipelined.hears(EndOfData())


def test_a_group_keeps_the_order_of_a_transaction(pipelined: ScriptedServer) -> None:
    with pytest.raises(DialogueMisuse, match="rcpt has no place in ready"):
        pipelined.hears(A)
    with pytest.raises(DialogueMisuse, match="data has no place in ready"):
        pipelined.hears(Data())
    pipelined.hears(Mail(""))
    with pytest.raises(DialogueMisuse, match="data has no place in MAIL given"):
        pipelined.hears(Data())
    with pytest.raises(DialogueMisuse, match="mail has no place in MAIL given"):
        pipelined.hears(Mail(""))


def test_the_next_envelope_rides_behind_the_dot(pipelined: ScriptedServer) -> None:
    content_expected(pipelined)

    sent = pipelined.hears(EndOfData(), Mail(""), B, Data())

    assert sent == b".\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"
    assert codes(pipelined, "250 queued") == [250]
    assert pipelined.is_in(State.READY)
    assert codes(pipelined, "250 ok", "250 ok", "354 go on") == [250, 250, 354]
    assert pipelined.is_in(State.EXPECT_CONTENT)
    assert pipelined.hears(EndOfData(), Quit()) == b".\r\nQUIT\r\n"
    assert codes(pipelined, "250 queued", "221 bye") == [250, 221]


def test_a_refused_content_does_not_touch_the_envelope_behind_it(
    pipelined: ScriptedServer,
) -> None:
    content_expected(pipelined)
    pipelined.hears(EndOfData(), Mail(""), B, Data())

    assert codes(pipelined, "554 spam", "250 ok", "250 ok", "354 go on") == [554, 250, 250, 354]
    assert pipelined.is_in(State.EXPECT_CONTENT)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["550 no", "503 no", "354 go on"], id="MAIL refused"),
        pytest.param(["550 no", "250 ok", "354 go on"], id="MAIL refused, RCPT taken"),
        pytest.param(["250 ok", "550 no", "354 go on"], id="RCPT refused"),
    ],
)
def test_data_may_be_taken_after_all_was_refused(
    pipelined: ScriptedServer, lines: list[str]
) -> None:
    pipelined.hears(Mail(""), A, Data())

    assert codes(pipelined, *lines)[-1] == 354
    assert pipelined.is_in(State.EXPECT_CONTENT)
    assert pipelined.hears(EndOfData()) == b".\r\n"
    assert codes(pipelined, "554 no valid recipients") == [554]
    assert pipelined.dialogue.is_idle


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (["550 no", "503 no", "503 no"], State.READY),
        (["250 ok", "550 no", "554 no"], State.MAIL_GIVEN),
        (["250 ok", "250 ok", "451 later"], State.RCPT_GIVEN),
    ],
)
def test_a_refused_group_leaves_what_was_taken(
    pipelined: ScriptedServer, lines: list[str], state: State
) -> None:
    pipelined.hears(Mail(""), A, Data())

    pipelined.says(*lines)

    assert pipelined.is_in(state)


@pytest.mark.parametrize("refused", [["550 no"], ["250 ok", "550 no"]])
def test_nothing_is_sent_on_a_hope_that_a_reply_has_ended(
    pipelined: ScriptedServer, refused: list[str]
) -> None:
    pipelined.hears(Mail(""), A)

    pipelined.says(*refused)

    with pytest.raises(DialogueMisuse, match="data has no place"):
        pipelined.hears(Data())


def test_a_refused_recipient_leaves_hope_for_the_others(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), A, B)

    pipelined.says("250 ok", "550 no")

    assert pipelined.hears(Data()) == b"DATA\r\n"


def test_421_in_the_middle_of_a_group_ends_the_session(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), A, Data())

    assert codes(pipelined, "250 ok", "421 4.3.2 closing") == [250, 421]
    assert pipelined.is_in(State.CLOSED)
    assert pipelined.dialogue.outstanding == (Data(),)
    assert not pipelined.dialogue.is_idle
    with pytest.raises(ConnectionLost, match=r"421 4\.3\.2 closing") as caught:
        pipelined.hears(Rset())
    assert (caught.value.stage, caught.value.code, caught.value.enhanced_code) == (
        "rset",
        421,
        "4.3.2",
    )


def test_replies_behind_a_421_are_still_told(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), A, Data())

    assert codes(pipelined, "421 closing", "250 ok", "354 go on") == [421, 250, 354]
    assert pipelined.is_in(State.CLOSED)


def test_a_reply_too_many_in_a_group_is_a_violation(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), A)

    assert codes(pipelined, "250 ok", "250 ok", "250 ok") == [250, 250]
    with pytest.raises(ProtocolViolation, match="nobody asked"):
        pipelined.says()


def test_a_long_group_costs_no_more_for_each_command(pipelined: ScriptedServer) -> None:
    pipelined.hears(Mail(""), *map(Rcpt, map("a{}@x.example".format, range(5000))), Data())

    assert codes(pipelined, "250 ok", *["250 ok"] * 5000, "354 go on")[-1] == 354


REPLIES = ["250 queued", "250-ok", "250 ok", "550 5.1.1 no", "250 ok", "354 go on"]


@given(places=st.lists(st.integers(0, 100), max_size=8))
def test_any_cut_answers_the_same_commands(places: list[int]) -> None:
    pipelined = ScriptedServer().greets("PIPELINING")
    content_expected(pipelined)
    pipelined.hears(EndOfData(), Mail(""), A, B, Data())
    raw = "".join(f"{line}\r\n" for line in REPLIES).encode()

    exchanges: list[Exchange] = []
    for chunk in cut(raw, places):
        exchanges += pipelined.dialogue.receive(chunk)

    assert [(type(e.command), e.reply.code) for e in exchanges] == [
        (EndOfData, 250),
        (Mail, 250),
        (Rcpt, 550),
        (Rcpt, 250),
        (Data, 354),
    ]
