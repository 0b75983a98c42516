from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from support.commandline import Cli

from bulkmail.campaign.load import Campaign
from bulkmail.cli.init import SAMPLE


def test_a_new_project_holds_a_campaign_without_a_fault(cli: Cli, tmp_path: Path) -> None:
    result = cli("init", str(tmp_path / "my letters"))

    assert result.code == 0
    assert "bulkmail send hello" in result.out
    campaign = Campaign.load(tmp_path / "my letters/campaigns/hello.yaml")
    assert campaign.name == "hello"
    assert campaign.root == tmp_path / "my letters"


def test_the_current_folder_is_the_default(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = cli("init")

    assert result.code == 0
    assert "  cd " not in result.out
    assert all((tmp_path / name).is_file() for name in SAMPLE)


def test_nothing_is_overwritten_and_then_nothing_is_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").write_text("mine", "utf-8")
    (tmp_path / ".gitignore").symlink_to("nowhere")

    result = cli("init", str(tmp_path))

    assert result.code == 2
    assert "bulkmail.yaml" in result.err
    assert ".gitignore" in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "bulkmail.yaml"]
    assert (tmp_path / "bulkmail.yaml").read_text("utf-8") == "mine"


def test_a_folder_that_cannot_be_made_exits_2(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = cli("init", str(tmp_path / "file" / "project"))

    assert result.code == 2
    assert "cannot be written" in result.err


def test_git_is_told_to_ignore_what_is_personal(cli: Cli, tmp_path: Path) -> None:
    cli("init", str(tmp_path))

    lines = (tmp_path / ".gitignore").read_text("utf-8").splitlines()

    assert {".bulkmail/", "outbox/", "sink/"} <= set(lines)


WHOLE = files("bulkmail.cli").joinpath("sample", "gitignore").read_text("utf-8")


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [
        (
            "*.log",
            f"*.log\n{WHOLE}",
            "added to",
        ),
        (
            "/.bulkmail\noutbox/\n",
            "/.bulkmail\noutbox/\nsink/\n",
            "added to",
        ),
        ("sink\r\noutbox\r\n.bulkmail\r\n", "sink\r\noutbox\r\n.bulkmail\r\n", "kept"),
    ],
    ids=["none of them", "one is missing", "all are there"],
)
def test_a_gitignore_that_is_there_gets_the_lines_it_lacks(
    cli: Cli, tmp_path: Path, before: str, after: str, verb: str
) -> None:
    (tmp_path / ".gitignore").write_bytes(before.encode())

    result = cli("init", str(tmp_path))

    assert result.code == 0
    assert (tmp_path / ".gitignore").read_bytes() == after.encode()
    assert f"{verb} {tmp_path / '.gitignore'}" in result.out


def test_a_gitignore_is_left_alone_where_another_file_is_in_the_way(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n", "utf-8")
    (tmp_path / "bulkmail.yaml").touch()

    assert cli("init", str(tmp_path)).code == 2
    assert (tmp_path / ".gitignore").read_text("utf-8") == "*.log\n"
