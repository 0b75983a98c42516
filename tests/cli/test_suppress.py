from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.report.wording import local


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("add", "2 addresses added; they get nothing from now on."),
        ("remove", "2 addresses removed."),
    ],
)
def test_addresses_are_put_on_the_list_and_taken_off(
    cli: Cli, fake: Fake, verb: str, said: str
) -> None:
    recorder = Recorder(2)
    fake("records", **{f"suppress_{verb}": recorder})

    result = cli("suppress", verb, "a@example.com", "b@example.com", "--ledger", "l.db")

    assert result.code == 0
    assert result.out.splitlines() == [said, "The list:  bulkmail suppress list --ledger l.db"]
    assert recorder.calls == [
        ((Path.cwd(), ["a@example.com", "b@example.com"], Path("l.db")), {}),
    ]


def test_files_are_imported(cli: Cli, fake: Fake) -> None:
    recorder = Recorder(1)
    fake("records", suppress_import=recorder)

    result = cli("suppress", "import", "a.csv", "b.txt")

    assert result.out.startswith("1 address added")
    assert recorder.calls == [((Path.cwd(), [Path("a.csv"), Path("b.txt")], None), {})]


def test_the_list_is_printed(cli: Cli, fake: Fake) -> None:
    fake("records", suppress_list=Recorder([("a@example.com", "by\x1bhand", 1_796_000_000.0)]))

    text = cli("suppress", "list").out
    told = json.loads(cli("suppress", "list", "--json").out)

    assert text == f"a@example.com  {local(1_796_000_000.0)}  by\\x1bhand\n"
    assert told == [
        {"email": "a@example.com", "reason": "by\x1bhand", "added_at": "2026-11-30T00:53:20Z"}
    ]


@pytest.mark.parametrize("arguments", [[], ["add"], ["nonsense"]], ids=str)
def test_a_list_needs_a_verb_and_addresses(cli: Cli, arguments: list[str]) -> None:
    assert cli("suppress", *arguments).code == 2
