"""What is worked out once for groups of commands holds for the session it was worked out for."""

import pytest
from smtp.scripted_server import ScriptedServer

from bulkmail.errors import DialogueMisuse
from bulkmail.smtp.commands import Bdat, Data, Ehlo, Mail, Rcpt
from bulkmail.smtp.states import State

GROUP = (Mail("a@x.example"), Rcpt("b@y.example"), Data())


def test_what_one_session_may_say_another_may_not() -> None:
    ScriptedServer().greets("PIPELINING").dialogue.expect(GROUP)
    lockstep = ScriptedServer().greets("SIZE").dialogue

    with pytest.raises(DialogueMisuse, match="without PIPELINING"):
        lockstep.expect(GROUP)


def test_what_is_offered_no_more_may_not_be_said_any_more() -> None:
    server = ScriptedServer().greets("PIPELINING", "CHUNKING")
    whole = (*GROUP[:2], Bdat(3))
    server.dialogue.expect(whole)
    server.says("250 ok", "250 ok", "250 taken")
    server.hears(Ehlo("me.example"))
    server.says("250-mx.example", "250 PIPELINING")

    with pytest.raises(DialogueMisuse, match="without CHUNKING"):
        server.dialogue.expect(whole)


def test_of_a_group_that_has_no_place_nothing_waits_for_its_reply() -> None:
    server = ScriptedServer().greets("PIPELINING")

    with pytest.raises(DialogueMisuse, match="rcpt behind data"):
        server.dialogue.expect((*GROUP, Rcpt("c@y.example")))

    assert not server.dialogue.outstanding


WELL = ["250 ok", "250 ok", "250 taken"]


@pytest.mark.parametrize(
    ("replies", "state", "left"),
    [
        pytest.param(WELL, State.READY, 3, id="of one message"),
        pytest.param([*WELL, *WELL], State.READY, 0, id="of both"),
        pytest.param([*WELL, "250 ok"], State.MAIL_GIVEN, 2, id="of one and a part"),
        pytest.param(["250 ok", "550 no", "503 no", *WELL], State.READY, 0, id="one is refused"),
        pytest.param([*WELL[:2], "421 bye"], State.CLOSED, 3, id="closed behind one"),
    ],
)
def test_replies_at_once_lead_where_they_do_one_by_one(
    replies: list[str], state: State, left: int
) -> None:
    at_once, one_by_one = (ScriptedServer().greets("PIPELINING", "CHUNKING") for _ in range(2))
    for server in (at_once, one_by_one):
        server.dialogue.expect((*GROUP[:2], Bdat(3)))
        server.dialogue.expect((*GROUP[:2], Bdat(3)))
    # What was heard before is known, and comes from the parser as one list.
    list(at_once.dialogue._parser.feed("".join(f"{line}\r\n" for line in replies).encode()))
    heard = at_once.says(*replies)

    assert heard == [reply for line in replies for reply in one_by_one.says(line)]
    for server in (at_once, one_by_one):
        assert (server.dialogue.state, len(server.dialogue.outstanding)) == (state, left)
