"""The recipient's language picks the template."""

import pytest
from message.sample_project import Project

from bulkmail.message.templates.language import tags


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("zh", "中文"),
        ("zh-CN", "中文"),
        ("ZH_hans_cn", "中文"),
        ("zh-TW", "繁體"),
        ("pt-br", "Português"),
        ("pt", "English"),
        ("fr", "English"),
        ("", "English"),
        (None, "English"),
        (7, "English"),
    ],
)
async def test_the_nearest_language_is_taken(
    project: Project, language: object, expected: str
) -> None:
    project.template("offer.html.j2", "English")
    project.template("offer.zh.html.j2", "中文")
    project.template("offer.zh-TW.html.j2", "繁體")
    project.file("campaigns/offer.pt_BR.html.j2", "Português")

    mail = await project.compose({"language": language}, html="offer.html.j2")

    assert project.text(mail, "html").strip() == expected
    assert project.text(mail).strip() == expected


async def test_the_campaign_names_the_column(project: Project) -> None:
    project.template("offer.txt.j2", "English")
    project.template("offer.de.txt.j2", "Deutsch {{ name }}")

    mail = await project.compose(
        {"语言": "de", "language": "zh", "name": "Ada"}, text="offer.txt.j2", language="语言"
    )

    assert project.text(mail) == "Deutsch Ada\n"


async def test_a_variant_that_does_not_compile_is_told_before_any_row(project: Project) -> None:
    project.template("offer.txt.j2", "English")
    project.template("offer.zh.txt.j2", "{% if %}")

    (fault,) = await project.faults(text="offer.txt.j2")

    assert fault.path is not None
    assert fault.path.endswith("offer.zh.txt.j2")
    assert fault.row is None


async def test_a_missing_column_in_a_variant_is_told_with_its_line(project: Project) -> None:
    project.template("sub/offer.txt.j2", "English")
    project.template("sub/offer.zh.txt.j2", "\n{{ nme }}")

    (fault,) = await project.faults({"language": "zh", "name": "x"}, text="sub/offer.txt.j2")

    assert fault.path is not None
    assert fault.path.endswith("sub/offer.zh.txt.j2")
    assert (fault.line, fault.row) == (2, 1)


def test_a_changed_variant_is_another_campaign_to_check(project: Project) -> None:
    project.template("offer.txt.j2", "English")
    project.template("offer.zh.txt.j2", "中文")
    before = project.composer(text="offer.txt.j2").fingerprint()

    project.template("offer.zh.txt.j2", "中文!")

    assert project.composer(text="offer.txt.j2").fingerprint() != before


def test_tags_go_from_the_nearest_to_the_language() -> None:
    assert list(tags(" zh_Hans-CN ")) == ["zh-hans-cn", "zh-hans", "zh"]
    assert list(tags("")) == list(tags(None)) == []
