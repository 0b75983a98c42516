"""The commands that order something of a campaign: what they ask for, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.app.orders import RETRIED, Ordered
from bulkmail.cli.retry import Retried
from bulkmail.errors import CampaignBusy, Fault
from bulkmail.fate import Halt, State

LEFT = "gone from the list, on a suppression list, a bad row, or on its way right now"


def ordered(**facts: Any) -> Ordered:
    return Ordered(**({"campaign": "offer-2026"} | facts))


@pytest.mark.parametrize(
    ("verb", "done", "said"),
    [
        (
            "pause",
            ordered(halt=Halt.PAUSED),
            [
                "offer-2026 is paused; nothing is sent of it until that is lifted.",
                "Lift the pause:  bulkmail resume offer --ledger l.db",
            ],
        ),
        (
            "pause",
            ordered(halt=Halt.PAUSED, is_running=True),
            [
                "offer-2026 is paused; the run under way waits once what is on the wire has ended.",
                "Lift the pause:  bulkmail resume offer --ledger l.db",
            ],
        ),
        (
            "resume",
            ordered(),
            [
                "offer-2026 was neither paused nor cancelled.",
                "Go on with:  bulkmail send offer --ledger l.db",
            ],
        ),
        (
            "resume",
            ordered(before=Halt.PAUSED, is_running=True),
            [
                "offer-2026 is paused no longer; the run under way goes on.",
                "How it stands:  bulkmail status offer --ledger l.db",
            ],
        ),
        (
            "resume",
            ordered(before=Halt.CANCELLED, count=2),
            [
                "offer-2026 is cancelled no longer; 2 recipients stay cancelled.",
                "Send to those, too:  bulkmail retry offer --ledger l.db --state suppressed",
            ],
        ),
        (
            "cancel",
            ordered(count=1, is_running=True),
            [
                (
                    "offer-2026 is cancelled: the run under way ends, and whoever it has not sent "
                    "to gets nothing."
                ),
                "Take it back:  bulkmail retry offer --ledger l.db --state suppressed",
            ],
        ),
        (
            "cancel",
            ordered(count=1),
            [
                "offer-2026 is cancelled: 1 recipient gets nothing.",
                "Take it back:  bulkmail retry offer --ledger l.db --state suppressed",
            ],
        ),
        (
            "purge",
            ordered(count=52, copies=(Path("ledger.db.v1.bak"),)),
            [
                "offer-2026: row data of 52 recipients dropped; what became of them stays.",
                "ledger.db.v1.bak is a copy from before an upgrade, and holds what was there then.",
                "How it stands:  bulkmail status offer --ledger l.db",
            ],
        ),
    ],
)
def test_an_order_says_what_came_of_it_and_what_to_type_next(
    cli: Cli, fake: Fake, verb: str, done: Ordered, said: list[str]
) -> None:
    recorder = Recorder(done)
    fake("orders", **{verb: recorder})

    result = cli(verb, "offer", "--ledger", "l.db")

    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == said
    assert recorder.calls == [((Path.cwd(), "offer", Path("l.db")), {})]


@pytest.mark.parametrize(
    ("options", "state", "code"),
    [
        ([], State.FAILED, None),
        (["--failed"], State.FAILED, None),
        (["--failed", "--state", "failed"], State.FAILED, None),
        (["--code", "5.2.2"], State.FAILED, "5.2.2"),
        (["--state", "in_doubt"], State.IN_DOUBT, None),
        (["--state", "suppressed"], State.SUPPRESSED, None),
    ],
    ids=str,
)
def test_retry_takes_the_failed_unless_it_is_told(
    cli: Cli, fake: Fake, options: list[str], state: State, code: str | None
) -> None:
    recorder = Recorder(ordered(count=3))
    fake("orders", retry=recorder)

    result = cli("retry", "offer", *options)

    assert result.out.splitlines() == [
        "3 recipients are pending again.",
        "Go on with:  bulkmail send offer",
    ]
    (call,) = recorder.calls
    assert call == ((Path.cwd(), "offer"), {"state": state, "code": code, "ledger": None})


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (ordered(), ["0 recipients are pending again.", "How it stands:  bulkmail status offer"]),
        (
            ordered(count=1, left=1, is_running=True),
            [
                "1 recipient is pending again.",
                f"1 more stays as it is: {LEFT}.",
                "How it stands:  bulkmail status offer",
            ],
        ),
        (
            ordered(count=1, halt=Halt.PAUSED),
            ["1 recipient is pending again.", "Lift the pause:  bulkmail resume offer"],
        ),
    ],
)
def test_retry_says_who_is_left_and_what_holds_it_up(
    cli: Cli, fake: Fake, done: Ordered, said: list[str]
) -> None:
    fake("orders", retry=Recorder(done))

    assert cli("retry", "offer").out.splitlines() == said


def test_every_state_that_can_be_retried_can_be_chosen() -> None:
    assert {str(state) for state in RETRIED} == {str(state) for state in Retried}


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry", "offer", "--failed", "--state", "in_doubt"],
        ["retry", "offer", "--state", "sent"],
        ["retry"],
        ["resolve", "offer"],
        ["resolve", "offer", "--in-doubt", "perhaps"],
        ["rename", "offer"],
        ["pause"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_exits_2(cli: Cli, fake: Fake, arguments: list[str]) -> None:
    fake("orders")

    assert cli(*arguments).code == 2


@pytest.mark.parametrize(
    ("decision", "resend", "said"),
    [
        (
            "sent",
            False,
            ["2 recipients in doubt count as sent.", "How it stands:  bulkmail status offer"],
        ),
        (
            "resend",
            True,
            ["2 recipients are pending again.", "Go on with:  bulkmail send offer"],
        ),
    ],
)
def test_a_doubt_is_resolved_by_what_a_person_says(
    cli: Cli, fake: Fake, decision: str, resend: bool, said: list[str]
) -> None:
    recorder = Recorder(ordered(count=2))
    fake("orders", resolve=recorder)

    result = cli("resolve", "offer", "--in-doubt", decision)

    assert result.out.splitlines() == said
    assert recorder.calls == [((Path.cwd(), "offer"), {"resend": resend, "ledger": None})]


def test_rename_says_how_it_is_called(cli: Cli, fake: Fake) -> None:
    recorder = Recorder(ordered(count=1204))
    fake("orders", rename=recorder)

    result = cli("rename", "offer", "offer-2026")

    assert result.out.splitlines() == [
        "offer is offer-2026 from now on: 1,204 recipients, and what became of them.",
        "How it stands:  bulkmail status offer-2026",
    ]
    assert recorder.calls == [((Path.cwd(), "offer", "offer-2026", None), {})]


def test_a_run_under_way_refuses_a_purge(cli: Cli, fake: Fake) -> None:
    fake("orders", purge=Recorder(error=CampaignBusy(Fault(message="another run is under way"))))

    result = cli("purge", "offer")

    assert (result.code, result.out) == (2, "")
    assert "another run is under way" in result.err
