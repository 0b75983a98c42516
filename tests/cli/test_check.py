from __future__ import annotations

import json
from typing import Any

import pytest
from support.commandline import Cli, Fake, Recorder

from bulkmail.app.check.checking import CheckReport
from bulkmail.app.check.overview import Overview
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.online.finding import Finding

pytestmark = pytest.mark.usefixtures("project")

FAULT = Fault(path="hello.csv", line=31, row=30, address="wang fang@example.com", message="a space")


def report(**facts: Any) -> CheckReport:
    usual: dict[str, Any] = {
        "campaign": "hello",
        "faults": (),
        "notices": (),
        "total": 52,
        "duplicates": 0,
        "overview": Overview(largest_bytes=412_000),
    }
    return CheckReport(**usual | facts)


@pytest.fixture
def check(fake: Fake) -> Recorder:
    recorder = Recorder(report())
    fake("check.checking", check=recorder)
    return recorder


def test_a_campaign_without_a_fault_is_said_to_be_so(cli: Cli, check: Recorder) -> None:
    result = cli("check", "hello")

    assert result.code == 0
    assert result.out.splitlines() == [
        "✓ hello: 52 recipients, 412 kB a message at most. No fault found.",
        "See what one gets:  bulkmail preview hello",
    ]
    assert check.calls[0][1]["online"] is False


def test_the_summary_tells_whom_the_list_is_made_of(cli: Cli, check: Recorder) -> None:
    overview = Overview(largest_bytes=412_000, total_bytes=3_900_000)
    overview.domains.update({"foxmail.com": 2, "qq.com": 1000, "gmail.com": 7})
    overview.domains.update({f"d{number}.example": 1 for number in range(9)})
    overview.languages.update({"zh": 1010, "en": 8})
    check.result = report(overview=overview)

    lines = cli("check", "hello").out.splitlines()
    told = json.loads(cli("check", "hello", "--json").out)

    assert lines[1] == "  In all 3.9 MB."
    assert lines[3] == (
        "  Domains: qq.com 1,000, gmail.com 7, foxmail.com 2, d0.example 1, d1.example 1, "
        "d2.example 1, d3.example 1, d4.example 1, others 4."
    )
    assert lines[2] == "  Providers: qq 1,002, gmail 7, others 9."
    assert lines[4] == "  Languages: zh 1,010, en 8."
    assert told["total_bytes"] == 3_900_000
    assert told["providers"] == {"qq": 1002, "gmail": 7, "others": 9}
    assert told["languages"] == {"zh": 1010, "en": 8}


def test_faults_are_listed_and_exit_2(cli: Cli, check: Recorder) -> None:
    check.result = report(faults=(FAULT,), notices=("52 MB are read at once",))

    result = cli("check", "hello")

    assert result.code == 2
    assert result.out == "52 MB are read at once\n"
    assert result.err.splitlines() == [
        "hello.csv:31  a space (row 30, wang fang@example.com)",
        "1 fault in 1 file and 1 row.",
    ]


def test_the_json_lists_every_fault_with_its_place(cli: Cli, check: Recorder) -> None:
    check.result = report(faults=(FAULT,) * 60, duplicates=1)

    result = cli("check", "hello", "--json")
    told = json.loads(result.out)

    assert result.code == 2
    assert result.err == ""
    assert (told["campaign"], told["ok"], told["total"], told["duplicates"]) == (
        "hello",
        False,
        52,
        1,
    )
    assert len(told["faults"]) == 60
    assert told["faults"][0]["line"] == 31
    assert told["faults"][0]["text"] == str(FAULT)


def test_the_json_of_a_campaign_that_cannot_be_read_has_the_same_keys(
    cli: Cli, check: Recorder
) -> None:
    keys = set(json.loads(cli("check", "hello", "--json").out))
    check.error = ConfigurationError(FAULT)

    result = cli("check", "hello", "--json")

    assert result.code == 2
    assert set(json.loads(result.out)) == keys
    assert json.loads(result.out)["ok"] is False


def test_what_a_server_says_is_a_line_and_a_bad_one_exits_2(cli: Cli, check: Recorder) -> None:
    good = Finding(is_good=True, sentence="primary: reachable")
    bad = Finding(is_good=False, sentence="backup: refused the login\x1b[2J")
    check.result = report(lines=(good, bad))

    result = cli("check", "hello", "--online")

    assert result.code == 2
    assert check.calls[0][1]["online"] is True
    assert result.out.splitlines()[:2] == [
        "✓ primary: reachable",
        r"✗ backup: refused the login\x1b[2J",
    ]
    assert result.out.splitlines()[2].startswith("✗ ")
    assert result.out.splitlines()[2].endswith("No fault in its files, but ✗ above.")
