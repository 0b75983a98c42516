from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkmail.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_STOPPED, EXIT_WAITING
from bulkmail.fate import Counts
from bulkmail.report.summary import Summary

CONTRACT_KEYS = {
    "campaign",
    "total",
    "sent",
    "failed",
    "deferred",
    "pending",
    "suppressed",
    "in_doubt",
    "duplicates",
    "elapsed_seconds",
    "messages_per_second",
}


def summary(**facts: Any) -> Summary:
    usual: dict[str, Any] = {
        "campaign": "offer-letter",
        "counts": Counts(sent=1996, failed=4),
        "elapsed_seconds": 162.0,
        "sent_in_run": 1996,
        "failed_in_run": 4,
        "exit_code": EXIT_FAILED,
    }
    return Summary(**usual | facts)


def test_the_json_has_the_contracts_keys() -> None:
    told = summary().to_json()

    assert set(told) >= CONTRACT_KEYS
    assert json.loads(json.dumps(told)) == told


def test_the_json_counts_a_row_that_is_still_sending_as_in_doubt() -> None:
    told = summary(counts=Counts(sent=1, sending=2, in_doubt=3, duplicates=4)).to_json()

    assert told["in_doubt"] == 5
    assert told["total"] == 6
    assert told["duplicates"] == 4


def test_the_states_of_the_json_add_up_to_the_total() -> None:
    counts = Counts(
        pending=1, sending=2, sent=3, deferred=4, failed=5, suppressed=6, in_doubt=7, duplicates=8
    )

    told = summary(counts=counts).to_json()

    states = ("pending", "sent", "deferred", "failed", "suppressed", "in_doubt")
    assert sum(told[state] for state in states) == told["total"]


def test_a_run_that_took_no_time_has_no_rate() -> None:
    assert summary(elapsed_seconds=0.0).to_json()["messages_per_second"] == 0.0


def test_moments_in_json_are_utc() -> None:
    assert summary(waiting_until=1_796_000_000.0).to_json()["waiting_until"] == (
        "2026-11-30T00:53:20Z"
    )


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "Done in 2 min 42 s (12.3/s). 2,000 recipients: 1,996 sent, 4 failed."),
        (
            {
                "counts": Counts(sent=52, duplicates=1),
                "elapsed_seconds": 0.4,
                "sent_in_run": 52,
                "failed_in_run": 0,
                "exit_code": EXIT_OK,
            },
            "Done in 0.4 s. 52 recipients: 52 sent (1 duplicate row left out).",
        ),
        (
            {"counts": Counts(failed=3), "sent_in_run": 0, "failed_in_run": 3},
            "Done in 2 min 42 s. 3 recipients: none sent, 3 failed.",
        ),
        (
            {
                "counts": Counts(sent=1211, pending=789),
                "interrupted": True,
                "exit_code": EXIT_INTERRUPTED,
            },
            "Interrupted after 2 min 42 s. 2,000 recipients: 1,211 sent, 789 to go.",
        ),
        (
            {"counts": Counts(pending=2000), "sent_in_run": 0, "exit_code": EXIT_STOPPED},
            "Stopped after 2 min 42 s. 2,000 recipients: none sent, 2,000 to go.",
        ),
        (
            {
                "counts": Counts(sent=5, deferred=1),
                "exit_code": EXIT_WAITING,
                "stopped": "The quota of primary is spent",
            },
            "The quota of primary is spent. 6 recipients: 5 sent, 1 deferred.",
        ),
        (
            {
                "counts": Counts(sent=10, pending=42),
                "sent_in_run": 10,
                "limit_reached": True,
                "exit_code": EXIT_OK,
            },
            "10 sent in this run, in 2 min 42 s. 52 recipients: 10 sent, 42 to go.",
        ),
        (
            {"sent_in_run": 0, "failed_in_run": 0, "counts": Counts(sent=2), "exit_code": EXIT_OK},
            "Nothing was left to send. 2 recipients: 2 sent.",
        ),
        (
            {
                "sent_in_run": 0,
                "failed_in_run": 0,
                "counts": Counts(in_doubt=2),
                "exit_code": EXIT_FAILED,
            },
            "Ended after 2 min 42 s. 2 recipients: none sent, 2 in doubt.",
        ),
        (
            {
                "dry_run": True,
                "out": Path("outbox/x"),
                "sent_in_run": 52,
                "failed_in_run": 1,
            },
            "52 messages written to outbox/x in 2 min 42 s; nothing was sent. 1 could not be made.",
        ),
        (
            {"test_to": "me@example.com", "sent_in_run": 1, "failed_in_run": 0},
            "A test message was sent to me@example.com in 2 min 42 s.",
        ),
        (
            {"test_to": "me@example.com", "sent_in_run": 0, "failed_in_run": 0},
            "No test message was sent to me@example.com.",
        ),
    ],
)
def test_a_run_ends_with_a_sentence(facts: dict[str, Any], sentence: str) -> None:
    assert summary(**facts).sentence() == sentence


@pytest.mark.parametrize(
    ("facts", "commands"),
    [
        ({}, ["bulkmail report offer-letter --state failed"]),
        (
            {"counts": Counts(sent=1, pending=1, failed=1), "interrupted": True},
            ["bulkmail send offer-letter", "bulkmail report offer-letter --state failed"],
        ),
        (
            {"counts": Counts(sent=1, deferred=1), "exit_code": EXIT_WAITING},
            ["bulkmail send offer-letter"],
        ),
        (
            {"counts": Counts(pending=1), "exit_code": EXIT_STOPPED},
            ["bulkmail send offer-letter"],
        ),
        (
            {"counts": Counts(sent=1, in_doubt=1)},
            ["bulkmail report offer-letter --state in_doubt"],
        ),
        (
            {"counts": Counts(sent=1, pending=1), "limit_reached": True, "exit_code": EXIT_OK},
            ["bulkmail send offer-letter"],
        ),
        (
            {"counts": Counts(sent=1, in_doubt=1), "exit_code": EXIT_WAITING},
            ["bulkmail send offer-letter", "bulkmail report offer-letter --state in_doubt"],
        ),
        ({"counts": Counts(sent=2), "exit_code": EXIT_OK}, ["bulkmail status offer-letter"]),
        ({"dry_run": True}, ["bulkmail send offer-letter"]),
        ({"test_to": "me@example.com"}, ["bulkmail send offer-letter"]),
        (
            {"test_to": "me@example.com", "sent_in_run": 0},
            ["bulkmail send offer-letter --test-to me@example.com"],
        ),
    ],
)
def test_a_run_ends_with_the_next_command(facts: dict[str, Any], commands: list[str]) -> None:
    assert [command for _, command in summary(**facts).next_commands()] == commands


def test_the_next_command_names_the_campaign_as_the_user_did() -> None:
    (_, command), *_ = summary().next_commands("campaigns/offer.yaml --ledger x.db")

    assert command == "bulkmail report campaigns/offer.yaml --ledger x.db --state failed"


def test_a_limit_that_left_nobody_leaves_no_rest_to_send() -> None:
    told = summary(
        counts=Counts(sent=3), limit_reached=True, sent_in_run=0, failed_in_run=0, exit_code=EXIT_OK
    )

    assert told.sentence() == "Nothing was left to send. 3 recipients: 3 sent."
    assert [label for label, _ in told.next_commands()] == ["See how it stands"]
