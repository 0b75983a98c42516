from __future__ import annotations

from pathlib import Path

import pytest

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.salvage import Salvage
from bulkmail.errors import ConfigurationError

SOUND = "from: a@example.com\nsubject: Hi\ntext: t.txt\nrecipients: list.csv\n"


def salvage(folder: Path, text: str, project: str | None = None) -> Salvage:
    path = folder / "campaign.yaml"
    path.write_text(text, "utf-8")
    if project is not None:
        (folder / "bulkmail.yaml").write_text(project, "utf-8")
    return Salvage(path)


def test_a_sound_campaign_is_kept_whole(tmp_path: Path) -> None:
    found = salvage(tmp_path, SOUND)

    assert found.campaign == Campaign.load(tmp_path / "campaign.yaml")
    assert not found.cut


@pytest.mark.parametrize(
    ("wrong", "cut"),
    [
        ("subjet: x\n", "subjet"),
        ("retry: {attempts: many}\n", "retry"),
        ("attachments: [a.pdf, {paht: b.pdf}]\n", "attachments"),
        ("servers: [nobody]\n", "servers"),
        ("servers: {one: {hots: x}}\n", "servers"),
        ("schedule: {at: soon, timezone: Asia/Shanghai}\n", "schedule"),
    ],
)
def test_what_is_wrong_is_cut_out_and_the_rest_stays(tmp_path: Path, wrong: str, cut: str) -> None:
    found = salvage(tmp_path, SOUND + wrong)

    with pytest.raises(ConfigurationError):
        Campaign.load(tmp_path / "campaign.yaml")
    assert found.campaign is not None
    assert found.campaign.model.subject == "Hi"
    assert found.cut == {cut}


def test_a_key_beside_a_wrong_one_stays(tmp_path: Path) -> None:
    found = salvage(tmp_path, SOUND + "schedule: {at: soon, timezone: Asia/Shanghai}\n")

    assert found.campaign is not None
    assert found.campaign.model.schedule.timezone == "Asia/Shanghai"


@pytest.mark.parametrize("key", ["from", "subject"])
def test_a_needed_key_that_is_wrong_or_missing_has_a_stand_in(tmp_path: Path, key: str) -> None:
    lines = [line for line in SOUND.splitlines() if not line.startswith(key)]

    missing = salvage(tmp_path, "\n".join(lines))
    wrong = salvage(tmp_path, "\n".join([*lines, f"{key}: [1]"]))

    assert missing.campaign is not None
    assert wrong.campaign is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "from: [\n",
        SOUND.replace("list.csv", "{path: list.csv, encodng: gb18030}"),
        SOUND.replace("recipients: list.csv\n", ""),
        SOUND.replace("text: t.txt\n", ""),
        SOUND + "allow_paths: 7\n",
        SOUND + "name: a/b\n",
    ],
)
def test_where_too_little_is_left_there_is_nothing(tmp_path: Path, text: str) -> None:
    found = salvage(tmp_path, text)

    assert found.campaign is None or found.campaign.name == "campaign"
    assert found.campaign is None or "name" in found.cut


def test_the_projects_file_may_be_wrong_too(tmp_path: Path) -> None:
    found = salvage(
        tmp_path, SOUND, "servers: {one: {host: a, prot: 1}, two: {host: b}}\nlegder: {}\n"
    )

    assert found.campaign is not None
    assert found.campaign.project.servers["two"].host == "b"
    assert found.cut == {"servers", "legder"}
