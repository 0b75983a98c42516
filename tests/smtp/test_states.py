"""The table of states, and the page that is drawn from it."""

import runpy
from pathlib import Path

import pytest

from bulkmail.smtp.reply import Severity
from bulkmail.smtp.stage import STAGE_TIMEOUTS, Stage
from bulkmail.smtp.states import STRAGGLERS, TRANSITIONS, State

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_not_stale() -> None:
    page = runpy.run_path(str(DOCS / "make_states.py"))["page"]()

    assert (DOCS / "states.md").read_text("utf-8") == page, (
        "python docs/make_states.py > docs/states.md"
    )


def test_the_script_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(DOCS / "make_states.py"), run_name="__main__")

    assert capsys.readouterr().out == (DOCS / "states.md").read_text("utf-8")


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_can_be_reached() -> None:
    reached = {State.CONNECTED}
    for _ in State:
        for state in tuple(reached):
            for replies in TRANSITIONS[state].values():
                reached |= set(replies.values())

    # STARTTLS leads on by a handshake, not by a reply.
    assert reached == set(State)


def test_a_session_can_quit_wherever_the_server_waits_for_a_command() -> None:
    waiting = set(State) - {
        State.CONNECTED,
        State.TLS_HANDSHAKE,
        State.AUTHENTICATING,
        State.EXPECT_CONTENT,
        State.CLOSED,
    }

    assert {state for state, stages in TRANSITIONS.items() if Stage.QUIT in stages} == waiting


def test_stragglers_never_stand_in_for_what_may_be_sent() -> None:
    for state, stages in STRAGGLERS.items():
        assert not set(stages) & set(TRANSITIONS[state])


def test_every_reply_to_the_end_of_data_ends_the_transaction() -> None:
    replies = TRANSITIONS[State.EXPECT_CONTENT][Stage.END_OF_DATA]

    assert replies == dict.fromkeys(set(Severity) - {Severity.POSITIVE_INTERMEDIATE}, State.READY)


def test_every_stage_has_a_deadline() -> None:
    assert set(STAGE_TIMEOUTS) == set(Stage)
    assert all(seconds > 0 for seconds in STAGE_TIMEOUTS.values())


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        (Stage.GREETING, 300),
        (Stage.MAIL, 300),
        (Stage.RCPT, 300),
        (Stage.DATA, 120),
        (Stage.END_OF_DATA, 600),
    ],
)
def test_the_deadlines_are_those_of_rfc_5321(stage: Stage, seconds: float) -> None:
    assert STAGE_TIMEOUTS[stage] == seconds
