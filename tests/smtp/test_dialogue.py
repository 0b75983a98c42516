"""The dialogue in lockstep: what may be sent when, and where replies lead."""

import pytest
from smtp.scripted_server import ScriptedServer

from bulkmail.errors import DialogueMisuse, MessageRefusedLocally
from bulkmail.secret import Secret
from bulkmail.smtp.commands import (
    Auth,
    AuthResponse,
    Command,
    Data,
    Ehlo,
    EndOfData,
    Greeting,
    Helo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.states import State

PLAIN = Auth("PLAIN", Secret("AGEAYg=="))


def led(server: ScriptedServer, *steps: tuple[Command, str]) -> ScriptedServer:
    for command, line in steps:
        server.hears(command)
        server.says(line)
    return server


#: A way from READY into each state that commands lead to.
WAYS: dict[State, tuple[tuple[Command, str], ...]] = {
    State.READY: (),
    State.TLS_HANDSHAKE: ((StartTls(), "220 go"),),
    State.AUTHENTICATING: ((Auth("LOGIN"), "334 VXNlcm5hbWU6"),),
    State.MAIL_GIVEN: ((Mail(""), "250 ok"),),
    State.RCPT_GIVEN: ((Mail(""), "250 ok"), (Rcpt("a@x.example"), "250 ok")),
    State.EXPECT_CONTENT: (
        (Mail(""), "250 ok"),
        (Rcpt("a@x.example"), "250 ok"),
        (Data(), "354 go on"),
    ),
    State.CLOSED: ((Quit(), "221 bye"),),
}

COMMANDS: dict[str, Command] = {
    "EHLO": Ehlo("x"),
    "HELO": Helo("x"),
    "STARTTLS": StartTls(),
    "AUTH": PLAIN,
    "a response": AuthResponse(Secret("")),
    "MAIL": Mail(""),
    "RCPT": Rcpt("a@x.example"),
    "DATA": Data(),
    "the dot": EndOfData(),
    "RSET": Rset(),
    "NOOP": Noop(),
    "VRFY": Vrfy("a"),
    "QUIT": Quit(),
    "a greeting": Greeting(),
}

ALLOWED = {
    State.READY: {"EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RSET", "NOOP", "VRFY", "QUIT"},
    State.TLS_HANDSHAKE: set[str](),
    State.AUTHENTICATING: {"a response"},
    State.MAIL_GIVEN: {"RCPT", "RSET", "NOOP", "QUIT"},
    State.RCPT_GIVEN: {"RCPT", "DATA", "RSET", "NOOP", "QUIT"},
    State.EXPECT_CONTENT: {"the dot"},
    State.CLOSED: set[str](),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.value)
def test_a_command_is_sent_only_where_it_has_its_place(
    lockstep: ScriptedServer, state: State, name: str
) -> None:
    led(lockstep, *WAYS[state])
    assert lockstep.is_in(state)

    if name in ALLOWED[state]:
        assert lockstep.hears(COMMANDS[name]) == COMMANDS[name].encode()
        return
    with pytest.raises(DialogueMisuse):
        lockstep.hears(COMMANDS[name])
    assert not lockstep.dialogue.outstanding


def test_a_whole_session(server: ScriptedServer) -> None:
    dialogue = server.dialogue

    said: list[Reply | bytes] = [
        *server.says("220 mx.example"),
        server.hears(Ehlo("me")),
        *server.says("250-mx.example", "250 SIZE 1000"),
        server.hears(Mail("a@x.example", size=3)),
        *server.says("250 ok"),
        server.hears(Rcpt("b@x.example")),
        *server.says("250 ok"),
        server.hears(Data()),
        *server.says("354 go on"),
        server.hears(EndOfData()),
        *server.says("250 queued"),
    ]

    assert [part if isinstance(part, bytes) else part.code for part in said] == [
        220,
        b"EHLO me\r\n",
        250,
        b"MAIL FROM:<a@x.example> SIZE=3\r\n",
        250,
        b"RCPT TO:<b@x.example>\r\n",
        250,
        b"DATA\r\n",
        354,
        b".\r\n",
        250,
    ]
    assert dialogue.is_idle
    assert dialogue.extensions.size == 1000


def test_a_reply_comes_with_its_command(server: ScriptedServer) -> None:
    assert server.dialogue.receive(b"220 hello\r\n") == [
        Exchange(Greeting(), Reply(220, ("hello",)))
    ]


def test_a_command_is_outstanding_until_its_reply_has_come(lockstep: ScriptedServer) -> None:
    lockstep.hears(Noop())

    found = [lockstep.dialogue.outstanding]
    for line in ("250-ok", "250 ok"):
        lockstep.says(line)
        found.append(lockstep.dialogue.outstanding)

    assert found == [(Noop(),), (Noop(),), ()]


def test_nothing_is_sent_before_the_greeting(server: ScriptedServer) -> None:
    with pytest.raises(DialogueMisuse, match="before the reply"):
        server.hears(Ehlo("me"))


@pytest.mark.parametrize("line", ["554 no service", "450 later"])
def test_who_is_turned_away_can_only_quit(server: ScriptedServer, line: str) -> None:
    server.says(line)

    assert server.is_in(State.TURNED_AWAY)
    with pytest.raises(DialogueMisuse):
        server.hears(Ehlo("me"))
    assert server.hears(Quit()) == b"QUIT\r\n"


def test_helo_follows_a_refused_ehlo(server: ScriptedServer) -> None:
    led(server.greets("PIPELINING"), (Ehlo("me"), "502 what"), (Helo("me"), "250 hello"))

    assert server.is_in(State.READY)
    assert not server.dialogue.extensions.keywords


def test_nothing_but_hello_follows_a_refused_ehlo(server: ScriptedServer) -> None:
    server.says("220 hi")
    led(server, (Ehlo("me"), "500 what"))

    with pytest.raises(DialogueMisuse):
        server.hears(Mail(""))
    assert server.hears(Helo("me")) == b"HELO me\r\n"


def test_a_second_ehlo_replaces_what_was_offered(lockstep: ScriptedServer) -> None:
    lockstep.hears(Ehlo("me"))
    lockstep.says("250-mx", "250 SIZE 5")

    assert dict(lockstep.dialogue.extensions.keywords) == {"SIZE": "5"}


@pytest.mark.parametrize("line", ["450 later", "550 never"])
@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State.READY, Mail("")),
        (State.READY, StartTls()),
        (State.READY, PLAIN),
        (State.READY, Rset()),
        (State.MAIL_GIVEN, Rcpt("a@x.example")),
        (State.RCPT_GIVEN, Rcpt("a@x.example")),
        (State.RCPT_GIVEN, Data()),
    ],
)
def test_a_refusal_leaves_the_state(
    lockstep: ScriptedServer, state: State, command: Command, line: str
) -> None:
    led(lockstep, *WAYS[state])

    led(lockstep, (command, line))

    assert lockstep.is_in(state)


@pytest.mark.parametrize("line", ["250 ok", "450 later", "550 never"])
def test_any_reply_to_the_dot_ends_the_transaction(lockstep: ScriptedServer, line: str) -> None:
    led(lockstep, *WAYS[State.EXPECT_CONTENT], (EndOfData(), line))

    assert lockstep.dialogue.is_idle


def test_rset_ends_a_transaction(lockstep: ScriptedServer) -> None:
    led(lockstep, *WAYS[State.RCPT_GIVEN], (Rset(), "250 ok"))

    assert lockstep.dialogue.is_idle


def test_without_pipelining_the_reply_is_awaited(lockstep: ScriptedServer) -> None:
    lockstep.hears(Mail(""))

    with pytest.raises(DialogueMisuse, match="without PIPELINING"):
        lockstep.hears(Rcpt("a@x.example"))


def test_a_command_that_cannot_be_encoded_changes_nothing(lockstep: ScriptedServer) -> None:
    with pytest.raises(MessageRefusedLocally):
        lockstep.hears(Mail("a\r\n@x.example"))

    assert lockstep.dialogue.is_idle
    assert lockstep.hears(Mail("a@x.example"))


def test_idle_is_between_transactions_with_nothing_held(lockstep: ScriptedServer) -> None:
    found = [lockstep.dialogue.is_idle]
    lockstep.hears(Mail(""))
    found.append(lockstep.dialogue.is_idle)
    lockstep.says("250 ok")
    found.append(lockstep.dialogue.is_idle)
    led(lockstep, (Rset(), "250 ok"))
    found.append(lockstep.dialogue.is_idle)
    lockstep.dialogue.receive(b"4")
    found.append(lockstep.dialogue.is_idle)

    assert found == [True, False, False, True, False]


def test_login_by_challenges(lockstep: ScriptedServer) -> None:
    led(
        lockstep,
        (Auth("LOGIN"), "334 VXNlcm5hbWU6"),
        (AuthResponse(Secret("dXNlcg==")), "334 UGFzc3dvcmQ6"),
        (AuthResponse(Secret("cGVuY2ls")), "235 welcome"),
    )

    assert lockstep.dialogue.is_authenticated
    assert lockstep.dialogue.is_idle


@pytest.mark.parametrize("line", ["535 no", "454 later", "501 cancelled"])
def test_another_mechanism_may_follow_a_refused_one(lockstep: ScriptedServer, line: str) -> None:
    led(lockstep, (Auth("LOGIN"), "334 VXNlcm5hbWU6"), (AuthResponse(Secret("*")), line))

    assert not lockstep.dialogue.is_authenticated
    assert lockstep.hears(PLAIN) == PLAIN.encode()


def test_auth_succeeds_once_in_a_session(lockstep: ScriptedServer) -> None:
    led(lockstep, (PLAIN, "235 welcome"))

    with pytest.raises(DialogueMisuse, match="AUTH after AUTH"):
        lockstep.hears(PLAIN)


def test_a_second_ehlo_does_not_allow_a_second_auth(lockstep: ScriptedServer) -> None:
    led(lockstep, (PLAIN, "235 welcome"), (Ehlo("me"), "250 mx.example"))

    with pytest.raises(DialogueMisuse, match="AUTH after AUTH"):
        lockstep.hears(PLAIN)
