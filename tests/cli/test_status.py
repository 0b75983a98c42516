from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.app.records import CampaignStatus, Reason, ServerTally, Slowed
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Counts, Halt, State
from bulkmail.report.wording import local

UPDATED_AT = 1_796_000_000.0


def standing(**facts: Any) -> CampaignStatus:
    usual: dict[str, Any] = {
        "name": "offer-letter",
        "counts": Counts(sent=1996, failed=4, duplicates=1),
        "updated_at": UPDATED_AT,
        "reasons": (
            Reason(
                state=State.FAILED,
                count=3,
                code=550,
                enhanced_code="5.1.1",
                reason="no such user",
                sample=("li@old.example",),
            ),
            Reason(
                state=State.FAILED,
                count=1,
                code=None,
                enhanced_code=None,
                reason="a bad row\x1b[2J",
                sample=("zhao@example.org",),
            ),
        ),
        "servers": (ServerTally(server="primary", sent=1996, other=4),),
    }
    return CampaignStatus(**usual | facts)


@pytest.fixture
def status(fake: Fake) -> Recorder:
    recorder = Recorder([standing()])
    fake("records", status=recorder)
    return recorder


def test_one_campaign_is_shown_with_why_and_by_whom(cli: Cli, status: Recorder) -> None:
    result = cli("status", "offer-letter")

    assert result.code == 0
    assert result.out.splitlines() == [
        "offer-letter   2,000 recipients   1,996 sent   4 failed   1 duplicate row left out   "
        + local(UPDATED_AT),
        "  failed       3  550 5.1.1 no such user   li@old.example, …",
        r"  failed       1  a bad row\x1b[2J   zhao@example.org",
        "  primary  1,996 accepted, 4 other answers",
        "Who failed, and why:  bulkmail report offer-letter --state failed",
        "Try them again:       bulkmail retry offer-letter",
    ]
    assert status.calls[0][0] == (Path.cwd(), "offer-letter", None)


def test_of_a_run_under_way_the_way_to_pause_it_is_shown(cli: Cli, status: Recorder) -> None:
    status.result = [standing(counts=Counts(pending=3), is_running=True)]

    result = cli("status", "offer-letter")

    assert result.out.splitlines()[-1] == (
        "A run is under way. To hold it up:  bulkmail pause offer-letter"
    )


def test_one_campaigns_json_is_an_object_with_a_key_a_state(cli: Cli, status: Recorder) -> None:
    told = json.loads(cli("status", "offer-letter", "--json").out)

    assert told["campaign"] == "offer-letter"
    assert told["total"] == 2000
    assert told["duplicates"] == 1
    assert [told[state] for state in State] == [0, 0, 1996, 0, 4, 0, 0]
    assert told["reasons"][0]["sample"] == ["li@old.example"]
    assert told["updated_at"] == "2026-11-30T00:53:20Z"
    del status


def test_without_a_campaign_all_are_listed(cli: Cli, status: Recorder) -> None:
    status.result = [standing(), standing(name="hello", updated_at=None)]

    text = cli("status", "--ledger", "l.db").out.splitlines()
    told = json.loads(cli("status", "--json").out)

    assert [line.split("   ")[0] for line in text[:2]] == ["offer-letter", "hello"]
    assert text[2:] == ["More of one:  bulkmail status offer-letter --ledger l.db"]
    assert [one["campaign"] for one in told] == ["offer-letter", "hello"]


def test_an_empty_ledger_is_an_empty_list(cli: Cli, status: Recorder) -> None:
    status.result = []

    assert cli("status").out == "The ledger holds no campaign yet.\n"
    assert json.loads(cli("status", "--json").out) == []


@pytest.mark.parametrize(
    ("counts", "command"),
    [
        (Counts(pending=1, failed=1), "bulkmail send offer-letter"),
        (Counts(sent=1, in_doubt=1), "bulkmail resolve offer-letter --in-doubt resend"),
        (Counts(sent=1), "bulkmail report offer-letter"),
    ],
)
def test_the_next_command_is_the_one_worth_typing(
    cli: Cli, status: Recorder, counts: Counts, command: str
) -> None:
    status.result = [standing(counts=counts)]

    assert cli("status", "offer-letter").out.splitlines()[-1].endswith(f":  {command}")


def test_a_halt_is_told_and_how_to_lift_it(cli: Cli, status: Recorder) -> None:
    status.result = [standing(counts=Counts(sent=1, pending=1), halt=Halt.PAUSED)]

    lines = cli("status", "offer-letter").out.splitlines()

    assert lines[0].startswith("offer-letter   paused   2 recipients")
    assert lines[-1] == "Lift the pause:  bulkmail resume offer-letter"
    assert json.loads(cli("status", "offer-letter", "--json").out)["halt"] == "paused"


def test_who_was_slowed_down_is_told(cli: Cli, status: Recorder) -> None:
    slow = Slowed(
        scope="domain:gmail", pace=0.25, full=12.0, until=UPDATED_AT, reason="421 slow\x1b[2J down"
    )
    status.result = [standing(slowed=(slow,))]

    shown = cli("status", "offer-letter").out
    told = json.loads(cli("status", "offer-letter", "--json").out)["slowed"]

    assert f"  gmail  slowed down to 15/min of 12/s until {local(UPDATED_AT)}: 421 slow" in shown
    assert "\x1b" not in shown
    assert [(one["scope"], one["per_second"]) for one in told] == [("domain:gmail", 0.25)]


def test_many_reasons_are_cut(cli: Cli, status: Recorder) -> None:
    status.result = [standing(reasons=standing().reasons * 20)]

    assert "  … and 20 more reasons" in cli("status", "offer-letter").out


def test_a_campaign_the_ledger_does_not_hold_exits_2(cli: Cli, status: Recorder) -> None:
    status.error = ConfigurationError(Fault(message="the ledger holds no campaign `x`"))

    assert cli("status", "x").code == 2


def test_a_database_as_the_ledger_exits_2(cli: Cli) -> None:
    result = cli("status", "--ledger", "postgresql://localhost/x")

    assert result.code == 2
    assert "later version" in result.err
