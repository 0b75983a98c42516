"""The right file for the right person."""

import os
import resource
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import typst
from message.sample_project import INSTANT, Project, delivery

from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer
from bulkmail.message.faults import RowFaults
from bulkmail.message.files.must_contain import text_notices
from bulkmail.message.files.owners import FileOwners
from bulkmail.message.lint import lint


async def fault_of(composer: Composer, row: int = 1, **fields: object) -> str:
    with pytest.raises(RowFaults) as caught:
        await composer.compose(delivery(row, f"r{row}@example.com", **fields), INSTANT)
    return caught.value.faults[0].message


async def checked_delivery(composer: Composer, **fields: Any) -> Delivery:
    """A row as it is claimed after a check."""
    row = delivery(**fields)
    mail = await composer.compose(row, INSTANT)
    return replace(row, files=tuple(file.note for file in mail.files if file.note))


async def fault_of_delivery(composer: Composer, row: Delivery) -> str:
    with pytest.raises(RowFaults) as caught:
        await composer.compose(row, INSTANT)
    return caught.value.faults[0].message


async def test_a_pattern_finds_the_one_file_that_matches(project: Project) -> None:
    for name in ("E-1-王芳.pdf", "E-10-李伟.pdf", "E-2-x.pdf", "E-2-x.txt"):
        project.file(f"campaigns/letters/{name}", name)
    composer = project.composer(attachments=["letters/{{ id }}-*.pdf"])

    mails = [
        await composer.compose(delivery(row, id=id_), INSTANT)
        for row, id_ in ((1, "E-1"), (2, "E-10"), (3, "E-2"))
    ]

    names = [next(project.parsed(mail).iter_attachments()).get_filename() for mail in mails]
    assert names == ["E-1-王芳.pdf", "E-10-李伟.pdf", "E-2-x.pdf"]


@pytest.mark.parametrize(
    ("pattern", "id_", "message"),
    [
        ("letters/{{ id }}*.pdf", "7", "letters/7*.pdf matches 2 files, where one is meant: 7.pdf"),
        ("letters/{{ id }}?.pdf", "8", "no file matches letters/8?.pdf"),
        ("letters/{{ id }}*.pdf", "*", "letters/**.pdf has a wildcard out of the row in it"),
        ("letters/{{ id }}*.pdf", "?", "letters/?*.pdf has a wildcard out of the row in it"),
        ("le*/{{ id }}.pdf", "7", "le*/7.pdf has a wildcard outside of the file's name"),
        ("no/{{ id }}*.pdf", "7", "no file matches no/7*.pdf"),
        ("../../out/{{ id }}*", "7", "../../out/7x lies outside of the project"),
        ("letters/*{{ id }}", ".txt", "no file matches letters/*.txt"),
    ],
)  # fmt: skip
async def test_none_or_several_files_are_the_rows_fault(
    project: Project, pattern: str, id_: str, message: str
) -> None:
    for name in ("letters/7.pdf", "letters/70.pdf", "letters/.txt", "../out/7x"):
        project.file(name, "x")
    composer = project.composer(attachments=[{"path": pattern}])

    assert (await fault_of(composer, id=id_)).startswith(message)


async def test_a_pattern_without_a_variable_is_one_file_for_all(project: Project) -> None:
    project.file("campaigns/handbook-2026.pdf", "x")

    mail = await project.compose(attachments=["handbook-*.pdf"])

    (part,) = project.parsed(mail).iter_attachments()
    assert part.get_filename() == "handbook-2026.pdf"


async def test_an_accent_is_a_part_of_its_letter_however_a_files_name_has_it(
    project: Project,
) -> None:
    for name in ("José", "Zoë"):
        project.file(f"campaigns/letters/{unicodedata.normalize('NFD', name)}.pdf", name)
    project.file("campaigns/letters/Jose.pdf", "Jose")
    written = ("José", "Jose", unicodedata.normalize("NFC", "Zoë"))
    for path in ("letters/{{ name }}*.pdf", "letters/{{ name }}.pdf"):
        composer = project.composer(attachments=[path])

        mails = [
            await composer.compose(delivery(row, name=name), INSTANT)
            for row, name in enumerate(written, 1)
        ]

        parts = [next(project.parsed(mail).iter_attachments()) for mail in mails]
        assert [part.get_content() for part in parts] == [b"Jos\xc3\xa9", b"Jose", b"Zo\xc3\xab"]


@pytest.mark.parametrize("path", ["été/{{ name }}*.pdf", "été/{{ name }}.pdf"])
@pytest.mark.parametrize("folder_form", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_folders_accents_may_be_written_otherwise_than_its_files(
    project: Project, path: str, folder_form: Literal["NFC", "NFD"], form: Literal["NFC", "NFD"]
) -> None:
    folder = unicodedata.normalize(folder_form, "été")
    project.file(f"campaigns/{folder}/{unicodedata.normalize(form, 'José')}.pdf", "x")

    mail = await project.compose({"name": "José"}, attachments=[path])

    (part,) = project.parsed(mail).iter_attachments()
    assert part.get_content() == b"x"


async def test_a_file_that_came_later_is_found(project: Project) -> None:
    project.file("letters/1.pdf", "x")
    composer = project.composer(attachments=["letters/{{ id }}*.pdf"])
    await composer.compose(delivery(1, id="1"), INSTANT)
    path = project.file("letters/2.pdf", "x")
    os.utime(path.parent, ns=(1, 1))  # whatever the clock of the file system is like

    await composer.compose(delivery(2, id="2"), INSTANT)


async def test_two_people_never_get_the_same_file(project: Project) -> None:
    project.file("letters/7.pdf", "x")
    composer = project.composer(attachments=["letters/{{ id }}.pdf"])
    await composer.compose(delivery(1, "r1@example.com", id="7"), INSTANT)

    message = await fault_of(composer, 2, id="7")

    assert message == (
        "letters/7.pdf is also for row 1, r1@example.com: two people would get the same file "
        "(`unique: false` where that is meant)"
    )
    # Nobody knows whose it is: who was first does not get it either.
    assert "is also for row 2, r2@example.com" in await fault_of(composer, 1, id="7")


async def test_two_names_of_one_file_are_one_file(project: Project) -> None:
    path = project.file("letters/7.pdf", "x")
    (path.parent / "8.pdf").symlink_to("7.pdf")
    composer = project.composer(attachments=["letters/{{ id }}.pdf"])
    await composer.compose(delivery(1, "r1@example.com", id="7"), INSTANT)

    assert "is also for row 1" in await fault_of(composer, 2, id="8")


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ({"path": "{{ team }}.pdf", "unique": False}, "bob@example.com"),
        ({"path": "a.pdf"}, "bob@example.com"),
        ({"path": "{{ team }}.pdf"}, "Ada@example.com"),
    ],
    ids=["said so", "for all", "the same person"],
)
async def test_a_file_may_be_for_several_where_that_is_meant(
    project: Project, entry: dict[str, object], address: str
) -> None:
    project.file("a.pdf", "x")
    composer = project.composer(attachments=[entry])

    await composer.compose(delivery(1, "ada@example.com", team="a"), INSTANT)
    await composer.compose(delivery(2, address, team="a"), INSTANT)


async def test_an_image_may_be_shown_to_several(project: Project) -> None:
    project.file("a.png", "x")
    project.template("a.html", '<img src="cid:i" alt="">')
    composer = project.composer(html="a.html", inline={"i": "{{ team }}.png"})

    await composer.compose(delivery(1, "ada@example.com", team="a"), INSTANT)
    await composer.compose(delivery(2, "bob@example.com", team="a"), INSTANT)


async def test_a_file_that_changed_after_the_check_is_not_sent(project: Project) -> None:
    path = project.file("letters/7.pdf", "old")
    composer = project.composer(attachments=["letters/{{ id }}.pdf"])
    checked = await checked_delivery(composer, id="7")
    path.write_bytes(b"new")

    assert (await fault_of_delivery(composer, checked)).startswith(
        "7.pdf has changed after it was checked"
    )


async def test_a_file_written_anew_with_the_same_content_is_the_same(project: Project) -> None:
    path = project.file("letters/7.pdf", "old")
    composer = project.composer(attachments=["letters/{{ id }}.pdf"])
    checked = await checked_delivery(composer, id="7")
    path.unlink()
    path.write_bytes(b"old")
    os.utime(path, ns=(1, 1))

    await composer.compose(checked, INSTANT)


async def test_an_image_of_ones_own_that_changed_is_not_sent(project: Project) -> None:
    path = project.file("a.png", "x")
    project.template("a.html", '<img src="cid:photo" alt="">')
    composer = project.composer(html="a.html", inline={"photo": "{{ id }}.png"})
    checked = await checked_delivery(composer, id="a")
    path.write_bytes(b"y")

    assert "a.png has changed" in await fault_of_delivery(composer, checked)


async def test_a_pattern_that_finds_another_file_after_the_check_is_not_followed(
    project: Project,
) -> None:
    path = project.file("letters/1.pdf", "x")
    composer = project.composer(attachments=["letters/{{ id }}*.pdf"])
    checked = await checked_delivery(composer, id="1")
    path.rename(path.with_name("10.pdf"))
    os.utime(path.parent, ns=(1, 1))

    assert (await fault_of_delivery(composer, checked)).startswith(
        "10.pdf is another file than was checked, 1.pdf"
    )


@pytest.mark.parametrize("name", ["王芳", "ADA", "Jose\u0301"])
async def test_the_files_name_says_whose_it_is(project: Project, name: str) -> None:
    project.file("letters/1-王芳.pdf", "x")
    project.file("letters/2-Ada Lovelace.pdf", "x")
    project.file("letters/3-José.pdf", "x")
    id_ = {"王芳": "1", "ADA": "2"}.get(name, "3")

    await project.compose(
        {"id": id_, "name": name},
        attachments=[{"path": "letters/{{ id }}-*.pdf", "must_contain": "{{ name }}"}],
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("李伟", "`李伟` is not in the name 1-王芳.pdf"),
        ("", "is empty for this row: every file's name has that"),
    ],
)
async def test_a_name_that_says_somebody_else_is_a_fault(
    project: Project, name: str, message: str
) -> None:
    project.file("letters/1-王芳.pdf", "x")

    (fault,) = await project.faults(
        {"id": "1", "name": name},
        attachments=[{"path": "letters/{{ id }}-*.pdf", "must_contain": "{{ name }}"}],
    )

    assert fault.message == message
    assert (fault.key, fault.row) == ("attachments[0].must_contain", 1)


WANG = {"path": "letters/{{ id }}-*.pdf", "must_contain": "{{ name }}"}


def pdf(*pages: str) -> bytes:
    """A PDF of typst source, one a page."""
    made = typst.compile("#pagebreak()".join(pages).encode())
    assert isinstance(made, bytes)
    return made


@pytest.mark.parametrize(
    "pages",
    [
        ("Dear Ada Lovelace,",),
        ("Contents", "for ADA LOVELACE"),
        ("#block(width: 20pt)[Ada Lovelace]",),
        ("Dear Ada", "Lovelace"),
    ],
    ids=["plainly", "on the second page", "over two lines", "over two pages"],
)
async def test_a_pdfs_text_says_whose_it_is(project: Project, pages: tuple[str, ...]) -> None:
    project.file("letters/1-Ada Lovelace.pdf", pdf(*pages))

    await project.compose({"id": "1", "name": "Ada Lovelace"}, attachments=[WANG])


async def test_a_pdf_for_somebody_else_is_a_fault_whatever_its_name(project: Project) -> None:
    project.file("letters/1-Ada.pdf", pdf("Dear Bob,"))

    (fault,) = await project.faults({"id": "1", "name": "Ada"}, attachments=[WANG])

    assert fault.message == "`Ada` is not in the text of 1-Ada.pdf"
    assert (fault.key, fault.row) == ("attachments[0].must_contain", 1)


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (lambda: pdf("#rect()"), "`must_contain` was held against its name alone: it has no text"),
        (lambda: b"%PDF-1.7 cut off", "it cannot be opened as a PDF"),
        (lambda: b"no PDF at all", ""),
    ],
    ids=["a picture", "damaged", "another kind"],
)
async def test_what_has_no_text_is_let_go_and_told(
    project: Project, content: Callable[[], bytes], remark: str
) -> None:
    project.file("letters/1-Ada.pdf", content())

    mail = await project.compose({"id": "1", "name": "Ada"}, attachments=[WANG])

    assert remark in mail.files[0].remark
    assert bool(mail.files[0].remark) == bool(remark)
    assert all(told in lint(mail) for told in [mail.files[0].remark] if told)


async def test_a_pdf_is_not_read_again_when_it_is_sent(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file("letters/1-Ada.pdf", pdf("Dear Ada,"))
    composer = project.composer(attachments=[WANG])
    checked = await checked_delivery(composer, id="1", name="Ada")
    monkeypatch.delattr("bulkmail.message.files.must_contain.pages")

    await composer.compose(checked, INSTANT)


async def test_without_the_extra_names_are_held_and_a_check_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file("letters/1-Ada.pdf", pdf("Dear Bob,"))
    monkeypatch.setattr("bulkmail.message.files.must_contain.is_readable", lambda: False)

    await project.compose({"id": "1", "name": "Ada"}, attachments=[WANG])
    (notice,) = text_notices(project.campaign(attachments=[WANG]))

    assert "pip install 'bulkmail[pdf]'" in notice
    assert not text_notices(project.campaign(attachments=["letters/1-Ada.pdf"]))


def test_a_hundred_thousand_owners_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")
    owners = FileOwners()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for row in range(100_000):
        assert (
            owners.problem(str(row), row, f"r{row}@example.com", str(path), is_unique=False) is None
        )
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 8_000


def test_where_no_row_has_a_file_of_its_own_no_owners_are_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are two megabytes and a database, which are made for each campaign that is loaded."""
    made: list[FileOwners] = []

    def owners() -> FileOwners:
        made.append(FileOwners())
        return made[-1]

    monkeypatch.setattr("bulkmail.message.files.attachments.FileOwners", owners)
    project.file("handbook.pdf", "one for all")

    project.composer()
    project.composer(attachments=["handbook.pdf"])
    assert not made
    project.composer(attachments=["handbook.pdf", "letters/{{ id }}.pdf", "more/{{ id }}.pdf"])
    assert len(made) == 1
