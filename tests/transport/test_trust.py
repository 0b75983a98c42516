"""What is held against a server that offers PIPELINING."""

from __future__ import annotations

import pytest

from bulkmail.errors import ConnectionLost, ProtocolViolation, SessionError, StageTimeout
from bulkmail.smtp.reply import ReplyParser
from bulkmail.smtp.stage import Stage
from bulkmail.transport.trust import Level, Trust, is_out_of_step, may_know_no_bdat

LOST = ConnectionLost("lost", stage=Stage.MAIL)
DOUBT = ConnectionLost("lost", stage=Stage.END_OF_DATA)
SILENT = StageTimeout("silent", stage=Stage.RCPT)
BROKEN = ProtocolViolation("what", stage=Stage.DATA)


@pytest.mark.parametrize(
    ("level", "error", "left"),
    [
        (Level.WINDOW, BROKEN, Level.GLUE),
        (Level.WINDOW, LOST, Level.GLUE),
        (Level.WINDOW, DOUBT, Level.GROUP),
        (Level.GLUE, BROKEN, Level.LOCKSTEP),
        (Level.GLUE, LOST, Level.LOCKSTEP),
        (Level.GROUP, BROKEN, Level.LOCKSTEP),
        (Level.GROUP, SILENT, Level.LOCKSTEP),
        (Level.GROUP, LOST, Level.WINDOW),
        (Level.LOCKSTEP, BROKEN, Level.WINDOW),
    ],
)
def test_what_is_left_of_the_trust_in_a_server_that_was_never_seen_to_do_it(
    level: Level, error: SessionError, left: Level
) -> None:
    trust = Trust()

    trust.broke(level, error)

    assert trust.level is left


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (LOST, Level.LOCKSTEP),
        (ConnectionLost("lost", stage=Stage.MAIL, code=421), Level.WINDOW),
        (DOUBT, Level.WINDOW),
    ],
    ids=["hang-up", "421", "behind the dot"],
)
def test_one_that_hangs_up_on_a_group_twice_hears_one_command_at_a_time(
    error: SessionError, left: Level
) -> None:
    trust = Trust()

    broke = [trust.broke(Level.GROUP, error) for _ in range(2)]

    assert trust.level is left
    assert broke == [False, left is Level.LOCKSTEP]


def test_hang_ups_with_messages_answered_between_are_chance() -> None:
    """Those taken ahead (BDAT) say nothing of groups, but that the server works."""
    trust = Trust()

    broke = []
    for _ in range(3):
        broke.append(trust.broke(Level.GROUP, LOST))
        trust.kept(Level.WINDOW)

    assert broke == [False] * 3
    assert trust.level is Level.WINDOW


@pytest.mark.parametrize("level", [Level.GROUP, Level.GLUE])
def test_a_server_that_has_done_it_may_lose_a_connection(level: Level) -> None:
    trust = Trust()
    trust.kept(level)

    assert not trust.broke(level, LOST)
    assert not trust.broke(level, SILENT)
    assert trust.level is Level.WINDOW


def test_what_a_server_has_done_is_not_forgotten_over_simpler_messages() -> None:
    trust = Trust()
    trust.kept(Level.WINDOW)
    trust.kept(Level.GROUP)

    assert trust.is_proven(Level.WINDOW)


@pytest.mark.parametrize(
    ("code", "left"), [(None, Level.GLUE), (421, Level.WINDOW)], ids=["silently", "with-421"]
)
def test_a_server_that_hangs_up_on_messages_sent_ahead_gets_no_more_of_them(
    code: int | None, left: Level
) -> None:
    trust = Trust()
    trust.kept(Level.WINDOW)

    trust.broke(Level.WINDOW, ConnectionLost("lost", stage=Stage.MAIL, code=code))

    assert trust.level is left


def test_whole_messages_taken_say_nothing_of_the_glue() -> None:
    trust = Trust()
    trust.kept(Level.WINDOW)
    trust.broke(Level.WINDOW, DOUBT)
    left = trust.level

    assert trust.broke(Level.GLUE, DOUBT)
    assert (left, trust.level) == (Level.GLUE, Level.LOCKSTEP)


def test_a_server_that_hangs_up_on_the_glue_time_and_again_gets_one_message_at_a_time() -> None:
    trust = Trust()
    broke = []
    for _ in range(3):
        trust.kept(Level.GLUE)
        broke.append(trust.broke(Level.GLUE, DOUBT))

    assert broke == [False, False, True]
    assert trust.level is Level.GROUP


@pytest.mark.parametrize("between", [0, 50], ids=["at once", "now and then"])
def test_connections_that_are_lost_together_or_now_and_then_say_nothing(between: int) -> None:
    trust = Trust()
    trust.kept(Level.GLUE)

    for _ in range(8):
        assert not trust.broke(Level.GLUE, DOUBT)
        for _ in range(between):
            trust.kept(Level.GLUE)

    assert trust.level is Level.WINDOW


def test_a_clear_sign_counts_at_any_time() -> None:
    trust = Trust()
    trust.kept(Level.GLUE)

    assert trust.broke(Level.GLUE, BROKEN)
    assert trust.level is Level.LOCKSTEP


def test_what_is_not_done_any_more_cannot_break() -> None:
    trust = Trust()
    trust.broke(Level.WINDOW, BROKEN)

    assert not trust.broke(Level.WINDOW, BROKEN)
    assert trust.level is Level.GLUE


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b"503 bad sequence of commands", True),
        (b"503 5.5.1 nested MAIL command", True),
        (b"500 5.5.2 what", True),
        (b"554 5.5.0 SMTP protocol synchronization error", True),
        (b"521 5.5.1 Protocol error: pipelining", True),
        (b"503 5.7.0 No identity changes permitted.", False),
        (b"550 5.1.1 no such user", False),
        (b"501 5.1.3 bad address", False),
        (b"450 4.2.0 greylisted", False),
        (b"250 pipelining is fine", False),
    ],
)
def test_by_which_refusals_a_server_says_that_it_lost_the_thread(
    line: bytes, verdict: bool
) -> None:
    (reply,) = ReplyParser().feed(line + b"\r\n")

    assert is_out_of_step(reply) is verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (b"500 what", True),
        (b"501 syntax error", True),
        (b"550 5.5.0 command rejected", True),
        (b"554 5.5.1 no", True),
        (b"554 transaction failed", True),
        (b"550 BDAT is switched off", True),
        (b"554 5.7.1 spam", False),
        (b"550 we do not want that", False),
        (b"552 5.3.4 too large", False),
        (b"451 4.3.0 later", False),
        (b"250 2.0.0 queued", False),
    ],
)
def test_by_which_refusals_of_its_first_bdat_a_server_may_know_none(
    line: bytes, verdict: bool
) -> None:
    (reply,) = ReplyParser().feed(line + b"\r\n")

    assert may_know_no_bdat(reply) is verdict
