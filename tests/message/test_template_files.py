"""Where templates come from, and which are HTML."""

import os
from pathlib import Path

import pytest
from message.sample_project import Project

from bulkmail.errors import ConfigurationError
from bulkmail.message.templates.files import MAX_SIZE

ROW = {"name": "Li & <b>"}


async def test_templates_at_the_root_go_before_those_beside_the_campaign(project: Project) -> None:
    project.template("both.txt.j2", "root")
    project.file("campaigns/both.txt.j2", "beside")
    project.file("campaigns/own.txt.j2", "{% include 'both.txt.j2' %}, own")

    mail = await project.compose(text="own.txt.j2")

    assert project.text(mail) == "root, own\n"


@pytest.mark.parametrize(
    "name", ["../secret.j2", "/etc/hostname", "a/../../secret.j2", "../campaigns/in.j2", "link.j2"]
)
async def test_a_template_outside_is_refused(
    project: Project, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.j2"
    outside.write_text("secret")
    (project.root.parent / "secret.j2").write_text("secret")
    (project.root / "templates/a").mkdir()
    project.file("campaigns/in.j2", "inside, but not by this name")
    (project.root / "templates/link.j2").symlink_to(outside)
    project.template("includes.j2", f"{{% include '{name}' %}}")

    direct = await project.faults(text=name)
    included = await project.faults(text="includes.j2")

    assert direct[0].message == (
        f"the template `{name}` leads out of the project's folders: if it is meant, list its "
        "folder in `allow_paths`"
    )
    assert direct[0].key == "text"
    assert included[0].message == direct[0].message
    assert Path(included[0].path or "").name == "includes.j2"
    (project.root.parent / "secret.j2").unlink()


@pytest.mark.parametrize("way", ["link", "absolute", "link to the folder", "included"])
async def test_a_template_outside_is_taken_from_a_folder_that_is_allowed(
    project: Project, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("shared")
    (outside / "letter.txt.j2").write_text("shared, {{ campaign }}")
    (project.root / "templates/link.txt.j2").symlink_to(outside / "letter.txt.j2")
    (project.root / "templates/shared").symlink_to(outside)
    project.template("includes.txt.j2", f"{{% include '{outside}/letter.txt.j2' %}}")
    name = {
        "link": "link.txt.j2",
        "absolute": f"{outside}/letter.txt.j2",
        "link to the folder": "shared/letter.txt.j2",
        "included": "includes.txt.j2",
    }[way]

    mail = await project.compose(text=name, allow_paths=[str(outside)])
    (refused,) = await project.faults(text=name, allow_paths=[str(outside / "other")])

    assert project.text(mail) == "shared, offer\n"
    assert "allow_paths" in refused.message


async def test_a_missing_template_names_the_nearest_one(project: Project) -> None:
    project.template("letters/offer.txt.j2", "x")

    (fault,) = await project.faults(text="letters/ofer.txt.j2")

    assert "Did you mean `letters/offer.txt.j2`?" in fault.message
    assert fault.line is not None


async def test_a_folder_that_is_called_as_a_template_is_said_to_be_one(project: Project) -> None:
    (project.root / "templates/offer.txt.j2").mkdir(parents=True)

    (fault,) = await project.faults(text="offer.txt.j2")

    assert fault.message == "the template `offer.txt.j2` is a folder"


async def test_a_pipe_that_is_called_as_a_template_is_none(project: Project) -> None:
    project.template("other.txt.j2", "x")
    os.mkfifo(project.root / "templates/offer.txt.j2")

    (fault,) = await project.faults(text="offer.txt.j2")

    assert fault.message == (
        "the template `offer.txt.j2` is no file: a pipe, a device, or a link to nothing"
    )


async def test_what_is_far_too_large_for_a_template_is_not_read(project: Project) -> None:
    project.template("offer.txt.j2", "x")
    os.truncate(project.root / "templates/offer.txt.j2", MAX_SIZE + 1)

    (fault,) = await project.faults(text="offer.txt.j2")

    assert fault.message == "larger than 64 MiB: this is no template"


@pytest.mark.parametrize("name", ["a.html", "a.htm.j2", "a.HTML.jinja", "a.j2", "a.txt"])
async def test_the_html_part_is_autoescaped_whatever_its_name(project: Project, name: str) -> None:
    project.template("inner.j2", "{{ name }}")
    project.template(name, "{{ name }} {% include 'inner.j2' %}")

    mail = await project.compose(ROW, html=name)

    assert project.text(mail, "html") == "Li &amp; &lt;b&gt; Li &amp; &lt;b&gt;\n"


async def test_text_and_headers_are_not_escaped(project: Project) -> None:
    project.template("a.txt.j2", "{{ name }}")

    mail = await project.compose(ROW, text="a.txt.j2", subject="To {{ name }}")

    assert project.text(mail) == "Li & <b>\n"
    assert project.parsed(mail)["subject"] == "To Li & <b>"


async def test_an_optional_include_may_be_missing(project: Project) -> None:
    project.template(
        "a.txt.j2", "a{% include 'none.j2' ignore missing %}{% include ['x', 'b.j2'] %}"
    )
    project.template("b.j2", "b")

    assert project.text(await project.compose(text="a.txt.j2")) == "ab\n"


def test_a_folder_that_may_not_be_read_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.template("offer.txt.j2", "x")
    folder = project.root / "templates"
    may = os.access

    def access(path: Path, mode: int) -> bool:  # root may read all there is
        return path != folder and may(path, mode)

    monkeypatch.setattr(os, "access", access)

    with pytest.raises(ConfigurationError, match="templates  this folder cannot be read: Perm"):
        project.composer(text="offer.txt.j2")
