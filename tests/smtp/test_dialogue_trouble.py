"""Servers that break the rules, close, or inject; nothing they do is a bug of ours."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smtp.cutting import cut
from smtp.scripted_server import ScriptedServer

from bulkmail.errors import (
    ConnectionLost,
    DialogueMisuse,
    PlaintextInjected,
    ProtocolViolation,
    SessionError,
)
from bulkmail.secret import Secret
from bulkmail.smtp.commands import (
    Auth,
    Command,
    Data,
    Ehlo,
    EndOfData,
    Greeting,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
)
from bulkmail.smtp.states import State

A = Rcpt("a@x.example")


def content_expected(server: ScriptedServer) -> ScriptedServer:
    for command, line in ((Mail(""), "250 ok"), (A, "250 ok"), (Data(), "354 go on")):
        server.hears(command)
        server.says(line)
    return server


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (Mail(""), "354 go on"),
        (Mail(""), "334 what"),
        (Rset(), "354 go on"),
        (StartTls(), "354 go on"),
        (Ehlo("me"), "354 go on"),
    ],
)
def test_a_reply_that_has_no_place_is_a_violation(
    lockstep: ScriptedServer, command: Command, line: str
) -> None:
    lockstep.hears(command)

    with pytest.raises(ProtocolViolation, match="in reply to") as caught:
        lockstep.says(line)

    assert (caught.value.stage, caught.value.code) == (command.stage, int(line[:3]))


def test_a_greeting_is_no_question(server: ScriptedServer) -> None:
    with pytest.raises(ProtocolViolation, match="354 hello in reply to greeting"):
        server.says("354 hello")


def test_content_that_is_taken_before_it_is_asked_for_is_a_violation(
    lockstep: ScriptedServer,
) -> None:
    lockstep.hears(Mail(""))
    lockstep.says("250 ok")
    lockstep.hears(A)
    lockstep.says("250 ok")
    lockstep.hears(Data())

    with pytest.raises(ProtocolViolation):
        lockstep.says("250 ok")


def test_a_violation_at_the_end_of_data_names_that_stage(lockstep: ScriptedServer) -> None:
    content_expected(lockstep).hears(EndOfData())

    with pytest.raises(ProtocolViolation) as caught:
        lockstep.says("what?")

    assert caught.value.stage == "end of data"


def test_a_reply_nobody_asked_for_is_a_violation(lockstep: ScriptedServer) -> None:
    with pytest.raises(ProtocolViolation, match=r"nobody asked for: 250 4\.9\.9 late") as e:
        lockstep.says("250 4.9.9 late")

    assert (e.value.stage, e.value.code, e.value.reply) == ("", 250, "4.9.9 late")


def test_a_late_reply_does_not_answer_the_next_command(lockstep: ScriptedServer) -> None:
    lockstep.hears(Noop())

    assert [reply.text for reply in lockstep.says("250 ok", "250 late")] == ["ok"]
    assert not lockstep.dialogue.is_idle
    with pytest.raises(ProtocolViolation, match="late"):
        lockstep.hears(Mail(""))


def test_what_was_answered_before_a_violation_counts(lockstep: ScriptedServer) -> None:
    content_expected(lockstep).hears(EndOfData())

    assert [reply.text for reply in lockstep.says("250 queued", "garbage")] == ["queued"]
    assert lockstep.dialogue.violation is not None
    assert not lockstep.dialogue.is_idle


def test_after_a_violation_nothing_is_taken_or_sent(lockstep: ScriptedServer) -> None:
    with pytest.raises(ProtocolViolation):
        lockstep.says("garbage")

    with pytest.raises(ProtocolViolation, match="garbage"):
        lockstep.says("250 ok")
    with pytest.raises(ProtocolViolation, match="garbage"):
        lockstep.hears(Quit())


def test_a_flood_of_replies_is_given_up_at_the_first_too_many(lockstep: ScriptedServer) -> None:
    with pytest.raises(ProtocolViolation):
        lockstep.dialogue.receive(b"250 x\r\n" * 1_000_000)


def test_a_421_of_its_own_accord_is_kept(lockstep: ScriptedServer) -> None:
    assert lockstep.says("421 4.4.2 idle too long") == []

    assert lockstep.is_in(State.CLOSED)
    assert not lockstep.dialogue.is_idle
    assert str(lockstep.dialogue.farewell) == "421 4.4.2 idle too long"


@pytest.mark.parametrize(("lines", "enhanced"), [(["421 4.3.2 bye"], "4.3.2"), (["421 bye"], None)])
def test_sending_after_a_421_is_a_lost_connection_and_no_bug(
    lockstep: ScriptedServer, lines: list[str], enhanced: str | None
) -> None:
    lockstep.hears(Mail(""))
    assert len(lockstep.says("250 ok", *lines)) == 1

    with pytest.raises(ConnectionLost) as caught:
        lockstep.hears(A)

    assert (caught.value.stage, caught.value.code) == ("rcpt", 421)
    assert caught.value.enhanced_code == enhanced
    assert caught.value.reply.endswith("bye")


def test_a_421_to_a_command_is_its_reply(lockstep: ScriptedServer) -> None:
    lockstep.hears(Mail(""))

    assert [reply.code for reply in lockstep.says("421 busy")] == [421]
    assert lockstep.is_in(State.CLOSED)
    with pytest.raises(ConnectionLost):
        lockstep.hears(Mail(""))


def test_a_421_greeting_closes(server: ScriptedServer) -> None:
    assert [reply.code for reply in server.says("421 busy")] == [421]

    with pytest.raises(ConnectionLost):
        server.hears(Quit())


def test_nothing_comes_after_a_421(lockstep: ScriptedServer) -> None:
    lockstep.says("421 bye")

    with pytest.raises(ProtocolViolation):
        lockstep.says("421 bye again")


def test_sending_after_quit_is_our_mistake(lockstep: ScriptedServer) -> None:
    lockstep.hears(Quit())
    lockstep.says("221 bye")

    with pytest.raises(DialogueMisuse):
        lockstep.hears(Mail(""))


def under_tls(server: ScriptedServer) -> ScriptedServer:
    server.hears(StartTls())
    server.says("220 go")
    server.dialogue.restart()
    return server


def test_under_tls_all_begins_anew(lockstep: ScriptedServer) -> None:
    dialogue = under_tls(lockstep).dialogue

    assert dialogue.state is State.GREETED
    assert dialogue.is_tls
    assert not dialogue.extensions.keywords
    with pytest.raises(DialogueMisuse):
        lockstep.hears(Mail(""))
    assert lockstep.hears(Ehlo("me")) == b"EHLO me\r\n"


def test_a_login_before_tls_is_forgotten_under_it(lockstep: ScriptedServer) -> None:
    lockstep.hears(Auth("PLAIN", Secret("AGEAYg==")))
    lockstep.says("235 welcome")

    assert not under_tls(lockstep).dialogue.is_authenticated


def test_pipelining_offered_in_plaintext_does_not_hold_under_tls() -> None:
    server = under_tls(ScriptedServer().greets("PIPELINING", "STARTTLS"))
    server.hears(Ehlo("me"))
    server.says("250 mx.example")
    server.hears(Mail(""))

    with pytest.raises(DialogueMisuse, match="without PIPELINING"):
        server.hears(A)


def test_tls_is_not_started_within_tls(lockstep: ScriptedServer) -> None:
    under_tls(lockstep).hears(Ehlo("me"))
    lockstep.says("250-mx.example", "250 STARTTLS")

    with pytest.raises(DialogueMisuse, match="under TLS"):
        lockstep.hears(StartTls())


def test_tls_is_not_started_within_implicit_tls() -> None:
    with pytest.raises(DialogueMisuse, match="under TLS"):
        ScriptedServer(is_tls=True).greets("STARTTLS").hears(StartTls())


@pytest.mark.parametrize(
    "injected",
    [
        pytest.param(b"2", id="half a reply"),
        pytest.param(b"250-a\r\n", id="a line of a reply"),
        pytest.param(b"250 injected\r\n", id="a reply"),
        pytest.param(b"421 injected\r\n", id="421"),
        pytest.param(b"garbage\r\n", id="garbage"),
    ],
)
@pytest.mark.parametrize("is_together", [True, False])
def test_plaintext_behind_the_reply_to_starttls_is_an_attack(
    lockstep: ScriptedServer, injected: bytes, *, is_together: bool
) -> None:
    lockstep.hears(StartTls())
    if is_together:
        assert len(lockstep.dialogue.receive(b"220 go\r\n" + injected)) == 1
    else:
        lockstep.says("220 go")
        with contextlib.suppress(ProtocolViolation):
            lockstep.dialogue.receive(injected)

    with pytest.raises(PlaintextInjected) as caught:
        lockstep.dialogue.restart()

    assert caught.value.stage == "starttls"


@pytest.mark.parametrize("lines", [[], ["454 not now"]])
def test_tls_begins_only_after_220(lockstep: ScriptedServer, lines: list[str]) -> None:
    lockstep.hears(StartTls())
    lockstep.says(*lines)

    with pytest.raises(DialogueMisuse):
        lockstep.dialogue.restart()


_said = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"250 ok\r\n", b"250-ok\r\n", b"354 x\r\n", b"421 x\r\n", b"550 no\r\n"]),
    )
).map(b"".join)


@given(raw=_said, places=st.lists(st.integers(0, 500), max_size=8))
def test_whatever_a_server_says_is_an_answer_or_a_session_error(
    raw: bytes, places: list[int]
) -> None:
    dialogue = ScriptedServer().greets("PIPELINING").dialogue
    wanted = iter([Mail(""), A, Data(), EndOfData(), Mail(""), A, Data(), Quit()])
    with contextlib.suppress(SessionError, DialogueMisuse):
        for command in wanted:
            dialogue.send(command)

    with contextlib.suppress(ProtocolViolation):
        for chunk in cut(raw, places):
            dialogue.receive(chunk)


def answered(raw: bytes, places: list[int]) -> tuple[list[tuple[type[Command], int]], bool]:
    """What a group's replies answer, and whether a violation ended them."""
    pipelined = ScriptedServer().greets("PIPELINING")
    pipelined.hears(Mail(""), A, A, Data())
    found: list[tuple[type[Command], int]] = []
    try:
        for chunk in cut(raw, places):
            exchanges = pipelined.dialogue.receive(chunk)
            found += [(type(e.command), e.reply.code) for e in exchanges]
    except ProtocolViolation:
        return found, True
    return found, pipelined.dialogue.violation is not None


@given(raw=_said, places=st.lists(st.integers(0, 500), max_size=8))
def test_no_cut_changes_what_counts_before_a_violation(raw: bytes, places: list[int]) -> None:
    assert answered(raw, places) == answered(raw, [])


def test_the_greeting_is_never_sent(server: ScriptedServer) -> None:
    server.says("220 hello")

    with pytest.raises(DialogueMisuse):
        server.hears(Greeting())
