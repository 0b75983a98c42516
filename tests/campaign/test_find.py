"""Campaigns by path and by name."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.find import find_campaign
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]


def test_a_campaign_is_found_by_path_and_by_name(project: Path, write: Write) -> None:
    offer = write("campaigns/offer.yaml", "")
    other = write("campaigns/other.yml", "")

    assert find_campaign("campaigns/offer.yaml", project) == Path("campaigns/offer.yaml")
    assert find_campaign(str(offer), project) == offer
    assert find_campaign("offer", project) == offer
    assert find_campaign("other", project) == other
    assert find_campaign("offer", project / "templates") == offer
    assert find_campaign("../campaigns/offer.yaml", project / "templates").samefile(offer)


def test_a_name_that_is_nearly_right_is_put_right(project: Path, write: Write) -> None:
    write("campaigns/offer-letter.yaml", "")

    with pytest.raises(ConfigurationError, match="Did you mean `offer-letter`"):
        find_campaign("ofer-letter", project)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bulkmail.yaml", "bulkmail.yaml  this is what campaigns share, and none itself: they are"),
        ("gone.yaml", "gone.yaml  this campaign file does not exist"),
        ("./templates", "templates  this campaign file is a folder"),
        ("gone", "there is no campaign `gone` in campaigns/. None is there at all: go"),
        ("", "there is no campaign ``"),
        ("a\0b", "there is no campaign"),
        ("a" * 5000, "there is no campaign `aaa"),
        ("a" * 5000 + ".yaml", "this campaign file does not exist"),
        ("./campaigns/near", "does not exist. Did you mean `campaigns/near.yaml`?"),
        ("campaigns/near.yml", "does not exist. Did you mean `campaigns/near.yaml`?"),
        ("near.yaml", "does not exist. Did you mean `campaigns/near.yaml`?"),
    ],
)
def test_what_is_not_there_is_said_so(
    project: Path, write: Write, text: str, sentence: str
) -> None:
    if "near" in text:
        write("campaigns/near.yaml", "")

    with pytest.raises(ConfigurationError) as caught:
        find_campaign(text, project)

    assert sentence in str(caught.value)


def test_a_folder_of_campaigns_without_a_project_file_will_do(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    (bare / "campaigns").mkdir(parents=True)
    (bare / "campaigns" / "x.yaml").write_text("")

    assert find_campaign("x", bare) == bare / "campaigns" / "x.yaml"


def test_a_folder_that_may_not_be_read_is_told(
    project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("campaigns/offer.yaml", "")

    def refuse(_: Path) -> None:  # root may read all there is
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(ConfigurationError, match="campaigns  this folder cannot be read: Perm"):
        find_campaign("offer", project)
