from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.commandline import Cli

from bulkmail.app.records import CampaignStatus, Reason, ServerTally
from bulkmail.cli.faults import fault_json
from bulkmail.cli.program import ORDER
from bulkmail.cli.reference import reference
from bulkmail.cli.standing import standing_json
from bulkmail.errors import Fault
from bulkmail.fate import Counts, State
from bulkmail.report.export import KEYS
from bulkmail.report.summary import Summary

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
GROUPS = {
    "suppress": ["add", "remove", "list", "import", "token"],
    "dkim": ["new-key"],
    "schedule": ["list", "next", "history"],
}
COMMANDS = [
    [name, verb] if verb else [name]
    for name in ORDER
    if name != "demo"
    for verb in GROUPS.get(name, [""])
]


def test_the_page_is_what_the_help_texts_say() -> None:
    assert PAGE.read_text("utf-8") == reference(), "python -m bulkmail.cli.reference > docs/cli.md"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_its_help_with_one_example(cli: Cli, command: list[str]) -> None:
    text = cli(*command, "--help").out

    assert len(re.findall(rf"Example: bulkmail {' '.join(command)}\b", text)) == 1
    assert re.match(r"[A-Z][a-z]+ ", text.split("\n\n")[1].strip())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_on_the_page(cli: Cli, command: list[str]) -> None:
    page = PAGE.read_text("utf-8")
    section = page.split(f"# bulkmail {' '.join(command)}\n")[1].split("\n#")[0]

    options = set(re.findall(r"^  (--[a-z-]+)", cli(*command, "--help").out, re.MULTILINE))

    assert all(f"`{option}" in section for option in options)


@pytest.mark.parametrize("group", [[], ["schedule"], ["suppress"], ["dkim"]], ids=" ".join)
def test_what_a_command_does_is_said_in_a_line_of_the_list(cli: Cli, group: list[str]) -> None:
    assert "..." not in cli(*group, "--help").out.partition("Commands:")[2]


def test_no_option_takes_a_password() -> None:
    assert not re.search(r"--password\b(?!-env|-file)", PAGE.read_text("utf-8"))


def test_the_hidden_demo_is_not_on_the_page(cli: Cli) -> None:
    assert "bulkmail demo" not in PAGE.read_text("utf-8")
    assert "demo" not in cli("--help").out


def keys_of(value: object) -> set[str]:
    """Every key anywhere in a JSON value."""
    match value:
        case dict():
            return set(value).union(*map(keys_of, value.values()))
        case list():
            return set().union(*map(keys_of, value))
        case _:
            return set()


def test_every_key_that_machines_read_is_on_the_page() -> None:
    summary = Summary(
        campaign="c",
        counts=Counts(),
        elapsed_seconds=1.0,
        sent_in_run=0,
        failed_in_run=0,
        exit_code=0,
    )
    reason = Reason(
        state=State.FAILED, count=1, code=550, enhanced_code="5.1.1", reason="no", sample=()
    )
    standing = CampaignStatus(
        name="c",
        counts=Counts(),
        updated_at=None,
        reasons=(reason,),
        servers=(ServerTally(server="s", sent=0, other=0),),
    )
    keys = keys_of([summary.to_json(), standing_json(standing), fault_json(Fault(message="x"))])

    page = PAGE.read_text("utf-8")

    assert {key for key in keys | set(KEYS) if f"`{key}`" not in page} == set()
