"""`pdf:` makes each row's letter of a typst template."""

import importlib
from typing import Any

import pytest
from message.sample_project import INSTANT, Project, delivery

from bulkmail.message.faults import RowFaults
from bulkmail.message.lint import lint

LETTER = """#let data = json(bytes(sys.inputs.data))
= Offer for #data.name
#data.campaign, #data.now.slice(0, 10)
"""


async def test_each_row_has_its_own_letter(project: Project) -> None:
    project.template("letter.typ", LETTER)
    composer = project.composer(
        attachments=[{"pdf": "letter.typ", "filename": "Offer {{ name }}.pdf"}]
    )

    parts = []
    for row, name in enumerate(("Ada", '李伟 #panic() "\\'), 1):
        mail = await composer.compose(delivery(row, name=name), INSTANT)
        parts += list(project.parsed(mail).iter_attachments())

    assert [part.get_filename() for part in parts] == [
        "Offer Ada.pdf",
        'Offer 李伟 #panic() "_.pdf',
    ]
    assert all(part.get_content_type() == "application/pdf" for part in parts)
    assert all(part.get_content().startswith(b"%PDF-") for part in parts)
    assert parts[0].get_content() != parts[1].get_content()


async def test_the_same_row_and_instant_give_the_same_letter(project: Project) -> None:
    project.template("letter.typ", LETTER)
    composer = project.composer(attachments=[{"pdf": "letter.typ"}])

    one, other = [
        project.content(await composer.compose(delivery(name="Ada"), INSTANT)) for _ in range(2)
    ]

    assert one == other
    assert b'filename="letter.pdf"' in one or b"filename=letter.pdf" in one


async def test_what_a_letter_lacks_is_told_with_its_line(project: Project) -> None:
    project.template("letter.typ", LETTER + "#data.salry\n")
    composer = project.composer(attachments=[{"pdf": "letter.typ"}])

    with pytest.raises(RowFaults) as caught:
        await composer.compose(delivery(name="Ada", salary=1), INSTANT)

    (fault,) = caught.value.faults
    assert fault.path is not None
    assert fault.path.endswith("letter.typ")
    assert fault.message == 'line 4:6: dictionary does not contain key "salry"'
    # The worker is still there for the others.
    with pytest.raises(RowFaults):
        await composer.compose(delivery(name="Ada", salary=1), INSTANT)


BOXES = "the PDF shows boxes for characters that are in no font here"
#: Of a private use area: no font has it.
LOGO = "\U0010abcd"


async def test_characters_that_no_font_has_are_told(project: Project) -> None:
    project.template("letter.typ", LETTER)
    composer = project.composer(attachments=[{"pdf": "letter.typ"}])

    remarks = []
    for row, name in enumerate(("Ada", f"Bob {LOGO}", "Bea", f"{LOGO}"), 1):
        mail = await composer.compose(delivery(row, name=name), INSTANT)
        remarks += [file.remark for file in mail.files]
        assert [told for told in lint(mail) if told.startswith(BOXES)] == remarks[-1:] * bool(
            remarks[-1]
        )

    told = f"{BOXES} (`{LOGO}`, for one): install a font that has them"
    assert remarks == ["", told, "", told]


async def test_the_box_that_is_named_is_one_of_the_rows_own(project: Project) -> None:
    project.template("letter.typ", LETTER)
    composer = project.composer(attachments=[{"pdf": "letter.typ"}])

    remarks = []
    for row, name in enumerate((LOGO, "\U0010dcba"), 1):
        mail = await composer.compose(delivery(row, name=name), INSTANT)
        remarks += [file.remark for file in mail.files]

    assert [remark.partition("`")[2][0] for remark in remarks] == [LOGO, "\U0010dcba"]


async def test_boxes_of_the_template_itself_are_every_letters(project: Project) -> None:
    project.template("letter.typ", LETTER + LOGO)
    composer = project.composer(attachments=[{"pdf": "letter.typ"}])

    for row in (1, 2):
        mail = await composer.compose(delivery(row, name="Ada"), INSTANT)
        assert mail.files[0].remark.startswith(BOXES)


async def test_a_letter_reads_nothing_outside_of_the_project(project: Project) -> None:
    project.file("../secret.txt", "secret")
    project.template("letter.typ", '#read("../../secret.txt")')

    (fault,) = await project.faults(attachments=[{"pdf": "letter.typ"}])

    assert fault.row == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("leter.typ", "the template `leter.typ` is not in "), ("../x.typ", "leads out of")],
)
async def test_a_missing_letter_is_told_before_any_row(
    project: Project, name: str, message: str
) -> None:
    project.template("letter.typ", LETTER)

    (fault,) = await project.faults(attachments=[{"pdf": name}])

    assert fault.key == "attachments[0].pdf"
    assert message in fault.message
    assert fault.row is None


def test_a_changed_letter_is_another_campaign_to_check(project: Project) -> None:
    project.template("letter.typ", LETTER)
    before = project.composer(attachments=[{"pdf": "letter.typ"}]).fingerprint()
    project.template("letter.typ", LETTER + "!")

    assert project.composer(attachments=[{"pdf": "letter.typ"}]).fingerprint() != before


async def test_a_missing_extra_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.import_module

    def without(name: str, *more: Any) -> Any:
        if name == "typst":
            raise ImportError(name)
        return there(name, *more)

    monkeypatch.setattr("importlib.import_module", without)
    project.template("letter.typ", LETTER)

    (fault,) = await project.faults(attachments=[{"pdf": "letter.typ"}])

    assert fault.message.endswith("pip install 'bulkmail[pdf]'")


@pytest.mark.parametrize(
    ("entry", "key", "message"),
    [
        ({}, "attachments[0]", "needs a `path`, or `pdf` or `ics`"),
        ({"path": "a", "pdf": "b"}, "attachments[0].pdf", "stands beside `path`"),
        ({"pdf": "b", "unique": True}, "attachments[0].unique", "is for a `path`"),
    ],
)
async def test_an_entry_is_one_thing(
    project: Project, entry: dict[str, Any], key: str, message: str
) -> None:
    (fault,) = await project.faults(attachments=[entry])

    assert fault.key == key
    assert message in fault.message
