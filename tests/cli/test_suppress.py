from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.campaign.suppression import read_suppressions
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


def test_who_was_not_on_the_list_is_told(cli: Cli, fake: Fake) -> None:
    fake("records", suppress_remove=Recorder(1))

    result = cli("suppress", "remove", "a@example.com", "A@example.com", "typo@example.com")

    assert result.out.startswith("1 address removed. 1 was not on the list.\n")


def test_in_a_project_that_sent_nothing_the_lists_are_empty(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").mkdir()
    monkeypatch.chdir(tmp_path)

    listed, stands = cli("suppress", "list", "--json"), cli("status", "--json")

    assert (listed.code, json.loads(listed.out)) == (0, [])
    assert (stands.code, json.loads(stands.out)) == (0, [])
    assert not (tmp_path / ".bulkmail").exists()


def test_who_was_on_the_list_before_is_said_to_be_so(cli: Cli, fake: Fake) -> None:
    fake("records", suppress_add=Recorder(1))

    result = cli("suppress", "add", "a@example.com", "A@example.com", "b@example.com")

    assert result.out.startswith("1 address added; they get nothing from now on. 1 was on the list")


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


LISTED = [("a@example.com", "added by hand", 0.0), ('"x,y"@example.com', 'said "no", twice', 1.5)]


@pytest.fixture
def listed(fake: Fake) -> None:
    fake("records", suppress_list=Recorder(LISTED))


@pytest.mark.usefixtures("listed")
def test_the_list_is_written_as_a_table(cli: Cli) -> None:
    result = cli("suppress", "export")

    assert list(csv.reader(result.out.splitlines())) == [
        ["email", "reason", "added_at"],
        ["a@example.com", "added by hand", "1970-01-01T00:00:00Z"],
        ['"x,y"@example.com', 'said "no", twice', "1970-01-01T00:00:01Z"],
    ]


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("name", ["out.csv", "out.txt", "out.tsv"])
def test_what_was_exported_can_be_imported(cli: Cli, tmp_path: Path, name: str) -> None:
    result = cli("suppress", "export", str(tmp_path / name))

    assert result.out.startswith("2 addresses written to ")
    assert list(read_suppressions(tmp_path / name)) == [address for address, _, _ in LISTED]


@pytest.mark.usefixtures("listed")
def test_an_export_replaces_no_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")

    result = cli("suppress", "export", str(path))

    assert result.code == 2
    assert "cannot be written: File exists" in result.err
    assert path.read_text() == "mine"
