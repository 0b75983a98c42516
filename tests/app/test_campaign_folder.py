"""What the scheduler sees of `campaigns/`, also where that folder has its moods."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mail_project import MailProject

from bulkmail.app.scheduling.campaign_folder import CampaignFolder
from bulkmail.errors import ConfigurationError


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Non-empty: `campaigns/` may not be read (root may read whatever its mode says)."""
    is_shut: list[bool] = []
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if is_shut and path.name == "campaigns":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    return is_shut


def scheduled(project: MailProject) -> CampaignFolder:
    project.servers({"host": "127.0.0.1", "security": "none"})
    project.save(schedule={"every": "1h"})
    return CampaignFolder(project.root)


def test_a_folder_that_may_not_be_read_is_a_fault_at_first(
    project: MailProject, shut: list[bool]
) -> None:
    folder = scheduled(project)
    shut.append(True)

    with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
        folder.look()


def test_one_that_may_not_be_read_later_is_told_once_and_what_was_read_holds(
    project: MailProject, shut: list[bool]
) -> None:
    folder = scheduled(project)
    told = [folder.look()]
    shut.append(True)

    told += [folder.look(), folder.look()]
    held = [one.campaign.name for one in folder]
    shut.clear()
    told.append(folder.look())
    shut.append(True)
    told.append(folder.look())

    assert held == ["letter"]
    assert [len(errors) for errors in told] == [0, 1, 0, 0, 1]


def test_a_pipe_among_the_campaigns_is_told_and_the_others_are_read(project: MailProject) -> None:
    folder = scheduled(project)
    os.mkfifo(project.root / "campaigns/pipe.yaml")

    (error,) = folder.look()

    assert "pipe.yaml  this is a pipe or a device" in str(error)
    assert [one.campaign.name for one in folder] == ["letter"]


def test_it_says_for_how_many_there_is_work(project: MailProject) -> None:
    folder = scheduled(project)
    before = folder.summary()
    folder.look()

    assert before == "; no campaign has a `schedule` yet."
    assert folder.summary() == " for 1 campaign:  bulkmail schedule next"
