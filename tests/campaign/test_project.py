"""Where a project's root is, and which files lie in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.project import project_root
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]
Load = Callable[..., Campaign]


def test_the_root_is_the_nearest_folder_with_bulkmail_yaml_or_templates(
    project: Path, write: Write
) -> None:
    deep = write("campaigns/2026/offer.yaml", "")
    assert project_root(deep) == project

    write("campaigns/bulkmail.yaml", "")
    assert project_root(deep) == project / "campaigns"


def test_failing_that_the_root_is_the_campaigns_own_folder(tmp_path: Path) -> None:
    assert project_root(tmp_path / "alone" / "offer.yaml") == tmp_path / "alone"


def test_a_path_is_looked_up_beside_the_campaign_and_then_at_the_root(
    project: Path, write: Write, load: Load
) -> None:
    write("logo.png", "root")
    campaign = load()
    assert campaign.resolve("logo.png") == project / "logo.png"

    write("campaigns/logo.png", "beside")
    assert campaign.resolve("logo.png") == project / "campaigns" / "logo.png"
    assert campaign.resolve("../logo.png").read_text() == "root"
    assert campaign.resolve(str(project / "logo.png")).read_text() == "root"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gone.pdf", "gone.pdf does not exist"),
        ("../gone.pdf", "../gone.pdf does not exist"),
        ("../templates", "../templates is a folder, where a file belongs"),
        ("../../secret.pdf", "../../secret.pdf lies outside of the project"),
        ("../../gone.pdf", "../../gone.pdf lies outside of the project"),
        ("/etc/passwd", "/etc/passwd lies outside of the project"),
        ("link.pdf", "link.pdf lies outside of the project"),
        ("folder/secret.pdf", "folder/secret.pdf lies outside of the project"),
        ("", "is empty"),
        ("a\0b", "a control character, U+0000"),
        ("a\nb", "a control character, U+000A"),
        ("a\ud800", "half a character"),
        ("x" * 5000, "does not exist"),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_what_is_missing_or_outside_is_refused_at_its_key(
    project: Path, load: Load, text: str, sentence: str
) -> None:
    (project.parent / "secret.pdf").write_text("secret")
    (project / "link.pdf").symlink_to(project.parent / "secret.pdf")
    (project / "folder").symlink_to(project.parent)
    campaign = load()

    with pytest.raises(ConfigurationError) as caught:
        campaign.resolve(text, loc=("subject",), row=7)

    [fault] = caught.value.faults
    assert sentence in fault.message
    assert (fault.path, fault.line, fault.key, fault.row) == (
        "campaigns/offer.yaml",
        2,
        "subject",
        7,
    )


def test_a_neighbour_whose_name_begins_like_the_root_is_outside(project: Path, load: Load) -> None:
    neighbour = project.parent / "project-2"
    neighbour.mkdir()
    (neighbour / "x.pdf").write_text("x")

    with pytest.raises(ConfigurationError, match="lies outside"):
        load().resolve("../../project-2/x.pdf")


@pytest.mark.parametrize("folder", ["../shared", "../../shared"], ids=["root", "campaign"])
def test_allow_paths_opens_a_folder(project: Path, load: Load, folder: str) -> None:
    shared = project.parent / "shared"
    shared.mkdir()
    (shared / "x.pdf").write_text("x")
    (project.parent / "y.pdf").write_text("y")
    campaign = load(f"recipients: [{{email: a@b}}]\nallow_paths: {folder}\n")

    assert campaign.resolve("../../shared/x.pdf").read_text() == "x"
    with pytest.raises(ConfigurationError, match="lies outside"):
        campaign.resolve("../../y.pdf")


def test_the_home_of_nobody_is_a_folder_of_that_name(load: Load) -> None:
    campaign = load("recipients: [{email: a@b}]\nallow_paths: ~nobody-is-called-so/x\n")

    with pytest.raises(ConfigurationError, match="lies outside"):
        campaign.resolve("/etc/hostname")


def test_a_folder_that_became_a_link_out_of_the_project_is_noticed(
    project: Path, load: Load
) -> None:
    outside = project.parent / "outside"
    for folder in (project / "letters", outside):
        folder.mkdir()
        (folder / "1.pdf").write_text("x")
    campaign = load()
    campaign.resolve("letters/1.pdf")

    (project / "letters").rename(project / "before")
    (project / "letters").symlink_to(outside)

    with pytest.raises(ConfigurationError, match="lies outside of the project"):
        campaign.resolve("letters/1.pdf")
