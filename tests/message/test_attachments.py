"""Files that go with a message: right bytes, right name, right row."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message.sample_project import INSTANT, Project, delivery

from bulkmail.message.composer import Composer
from bulkmail.message.faults import RowFaults
from bulkmail.message.files import reader as file_reader
from bulkmail.message.files.reader import MAX_SIZE
from bulkmail.message.transfer_encoding import Encoded, base64_lines


async def test_shared_and_personal_files_arrive_byte_for_byte(project: Project) -> None:
    handbook, letter = os.urandom(100_000), b"%PDF 7"
    project.file("handbook.pdf", handbook)
    project.file("campaigns/letters/7.pdf", letter)

    mail = await project.compose(
        {"id": "7", "name": "王芳"},
        attachments=[
            "handbook.pdf",
            {"path": "letters/{{ id }}.pdf", "filename": "录用通知书-{{ name }}.pdf"},
        ],
    )

    first, second = project.parsed(mail).iter_attachments()
    assert (first.get_filename(), first.get_content()) == ("handbook.pdf", handbook)
    assert (second.get_filename(), second.get_content()) == ("录用通知书-王芳.pdf", letter)
    assert first.get_content_type() == second.get_content_type() == "application/pdf"


async def test_a_shared_file_is_encoded_once_for_all_rows(project: Project) -> None:
    project.file("big.bin", bytes(300_000))
    composer = project.composer(
        attachments=[{"path": "big.bin", "filename": "{{ name }}.bin"}], inline={"i": "big.bin"}
    )

    mails = [await composer.compose(delivery(row=n, name=f"n{n}"), INSTANT) for n in (1, 2)]

    big = [[chunk for chunk in mail.chunks if len(chunk) > 300_000] for mail in mails]
    assert [len(chunks) for chunks in big] == [2, 2]
    assert all(one is other for one, other in zip(*big, strict=True))
    assert [part.get_filename() for part in project.parsed(mails[1]).iter_attachments()] == [
        "n2.bin"
    ]


async def test_20_mb_for_many_who_are_composed_at_once_are_encoded_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []

    def counted(content: bytes) -> Encoded:
        encoded.append(len(content))
        return base64_lines(content)

    monkeypatch.setattr(file_reader, "base64_lines", counted)
    project.file("big.bin", bytes(20_000_000))
    composer = project.composer(attachments=["big.bin"])

    mails = await asyncio.gather(
        *(composer.compose(delivery(row=n, name=f"n{n}"), INSTANT) for n in range(200))
    )

    assert encoded == [20_000_000]
    # All of them at once take little more than one: what is shared is there once.
    octets = {id(chunk): len(chunk) for mail in mails for chunk in mail.chunks}
    assert sum(octets.values()) < 28_500_000
    assert len({id(mail.files[0].shared) for mail in mails}) == 1


async def test_an_inline_image_is_what_the_html_shows(project: Project) -> None:
    project.file("images/logo.png", b"\x89PNG")
    project.template("a.html", '<img src="cid:logo">')

    mail = await project.compose(html="a.html", inline={"logo": "images/logo.png"})

    related = project.parsed(mail)
    assert related.get_content_type() == "multipart/related"
    assert [part.get_content_type() for part in related.iter_parts()] == [
        "multipart/alternative",
        "image/png",
    ]
    image = list(related.iter_parts())[1]
    assert image["content-id"] == "<logo>"
    assert image.get_content_disposition() == "inline"
    assert image.get_content() == b"\x89PNG"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("letters/{{ id }}.pdf", "letters/7.pdf does not exist"),
        ("empty{{ id }}.pdf", "empty7.pdf is empty"),
        ("huge{{ id }}.pdf", "huge7.pdf is larger than 1 GiB"),
        ("../../out{{ id }}.pdf", "../../out7.pdf lies outside of the project"),
        ("/etc/host{{ x }}", "/etc/hostname lies outside of the project"),
        ("link{{ id }}", "link7 "),
        ("folder{{ id }}", "folder7 "),
        ("{{ nothing }}", "`{{ nothing }}` is not a column"),
    ],
)
async def test_a_personal_file_that_is_not_there_is_the_rows_fault(
    project: Project, path: str, message: str
) -> None:
    project.file("empty7.pdf", b"")
    project.file("huge7.pdf", b"")
    os.truncate(project.root / "huge7.pdf", MAX_SIZE + 1)
    (project.root / "link7").symlink_to("/etc/hostname")
    (project.root / "folder7").mkdir()
    composer = project.composer(attachments=[{"path": path}])

    with pytest.raises(RowFaults) as caught:
        await composer.compose(delivery(row=17, id="7", x="name"), INSTANT)

    (fault,) = caught.value.faults
    assert fault.message.startswith(message)
    assert (fault.key, fault.row) == ("attachments[0].path", 17)
    assert fault.address == "li.wei@example.com"


async def test_shared_files_that_are_missing_are_told_before_any_row(project: Project) -> None:
    with pytest.raises(Exception, match="does not exist") as caught:
        project.composer(attachments=["gone.pdf", "gone2.pdf"], inline={"logo": "gone.png"})

    assert [fault.key for fault in caught.value.faults] == [  # type: ignore[attr-defined]  # a ConfigurationError
        "inline.logo",
        "attachments[0].path",
        "attachments[1].path",
    ]


async def test_a_file_that_vanishes_after_the_check_is_the_rows_fault(project: Project) -> None:
    path = project.file("letters/7.pdf", "x")
    composer = project.composer(attachments=["letters/{{ id }}.pdf"])
    await composer.compose(delivery(id="7"), INSTANT)
    path.unlink()

    with pytest.raises(RowFaults, match="does not exist"):
        await composer.compose(delivery(id="7"), INSTANT)


@pytest.mark.parametrize(
    ("entry", "content", "content_type", "encoding"),
    [
        ({"path": "a.pdf"}, b"x", "application/pdf", "base64"),
        ({"path": "a.pdf", "type": "application/x-thing"}, b"x", "application/x-thing", "base64"),
        ({"path": "a.unknown"}, b"x", "application/octet-stream", "base64"),
        ({"path": "noext"}, b"x", "application/octet-stream", "base64"),
        ({"path": "a.txt", "filename": "b.csv"}, b"x\n", "text/csv", "base64"),
        ({"path": "a.eml"}, b"Subject: x\r\n\r\n.Hi\r\n", "message/rfc822", "7bit"),
        ({"path": "a.eml"}, b"Subject: x\n\nHi\n", "application/octet-stream", "base64"),
        ({"path": "a.eml"}, "Subject: é\r\n\r\n".encode(), "application/octet-stream", "base64"),
        # As a row fills it in; written so in the campaign it is refused.
        (
            {"path": "a.x", "type": "{{ 'multipart/a' }}"},
            b"x",
            "application/octet-stream",
            "base64",
        ),
    ],
)
async def test_type_and_encoding_of_a_file(
    project: Project, entry: dict[str, str], content: bytes, content_type: str, encoding: str
) -> None:
    project.file(entry["path"], content)

    mail = await project.compose(attachments=[entry])

    part = list(project.parsed(mail).iter_parts())[1]
    assert part.get_content_type() == content_type
    assert part["content-transfer-encoding"] == encoding
    assert part.get_filename() == entry.get("filename", entry["path"])
    if encoding == "7bit":
        assert content + b"\r\n--" in project.content(mail)
        assert mail.has_dot_line


async def test_text_files_in_utf8_say_so(project: Project) -> None:
    project.file("a.txt", "亲爱的\n")
    project.file("b.txt", "亲爱的\n".encode("gb18030"))

    mail = await project.compose(attachments=["a.txt", "b.txt"])

    first, second = project.parsed(mail).iter_attachments()
    assert first.get_content_charset() == "utf-8"
    assert second.get_content_charset() is None
    assert second.get_payload(decode=True) == "亲爱的\n".encode("gb18030")


@pytest.mark.parametrize("written", ["{type}", "{{{{ '{type}' }}}}"], ids=["written", "rendered"])
@pytest.mark.parametrize(
    ("media_type", "parameters"),
    [
        ("text/csv; charset=gb18030", {"charset": "gb18030"}),
        ("text/calendar;METHOD=REQUEST", {"method": "REQUEST", "charset": "utf-8"}),
    ],
)
async def test_a_type_may_have_parameters(
    project: Project, written: str, media_type: str, parameters: dict[str, str]
) -> None:
    project.file("a.x", "é")
    entry = {"path": "a.x", "type": written.format(type=media_type)}

    mail = await project.compose(attachments=[entry])

    (part,) = project.parsed(mail).iter_attachments()
    assert part.get_content_type() == media_type.partition(";")[0]
    assert dict(part["content-type"].params) == parameters | {"name": "a.x"}


@pytest.mark.parametrize("media_type", ["text/csv; name=b.csv", "text/csv; a=1; A=2"])
async def test_no_parameter_comes_twice(project: Project, media_type: str) -> None:
    project.file("a.csv", "x")

    (fault,) = await project.faults(
        {"t": media_type}, attachments=[{"path": "a.csv", "type": "{{ t }}"}]
    )

    assert "is no media type" in fault.message


async def test_a_separator_in_a_shown_name_becomes_an_underscore(project: Project) -> None:
    project.file("a.pdf", "x")

    mail = await project.compose(
        {"name": "A/B\\C"},
        to="a@b.example",
        attachments=[{"path": "a.pdf", "filename": "{{ name }}.pdf"}],
    )

    (part,) = project.parsed(mail).iter_attachments()
    assert part.get_filename() == "A_B_C.pdf"


async def test_a_rendered_type_that_is_none_is_a_fault(project: Project) -> None:
    project.file("a.pdf", "x")

    (fault,) = await project.faults(
        {"t": "pdf"}, attachments=[{"path": "a.pdf", "type": "{{ t }}"}]
    )

    assert fault.message == "`pdf` is no media type such as application/pdf"
    assert fault.key == "attachments[0].type"


def test_a_check_reads_a_rows_file_without_waiting_for_a_thread(project: Project) -> None:
    project.file("a7.pdf", "x")
    composer = project.composer(attachments=["a{{ id }}.pdf"])
    checking = composer.draft(delivery(id="7"), INSTANT)
    sending = composer.compose(delivery(id="7"), INSTANT)

    # By hand: outside of a loop whatever waits for one fails.
    with pytest.raises(StopIteration) as checked:
        checking.send(None)
    assert [file.name for file in checked.value.value.files] == ["a7.pdf"]

    project.file("a7.pdf", "changed")
    with pytest.raises(RuntimeError, match="no running event loop"):
        sending.send(None)


async def test_a_file_that_may_not_be_read_is_the_rows_fault(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file("a7.pdf", "x")
    composer = project.composer(attachments=["a{{ id }}.pdf"])

    async def refuse(path: Path, kind: str, *, at_once: bool) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(composer._contents._reader, "read", refuse)  # root may read everything

    with pytest.raises(RowFaults, match=r"a7.pdf cannot be read: Permission denied"):
        await composer.compose(delivery(id="7"), INSTANT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.binary(min_size=1, max_size=500), st.sampled_from(["a.eml", "a.txt", "a.bin", "a.html"]))
async def test_any_bytes_of_any_kind_of_file_come_back(
    project: Project, content: bytes, name: str
) -> None:
    project.file(name, content)
    composer = Composer(project.campaign(attachments=[name]))

    mail = await composer.compose(delivery(), INSTANT)

    assert project.content(mail).isascii()
    part = list(project.parsed(mail).iter_parts())[1]
    if part.get_content_type() == "message/rfc822":
        assert content + b"\r\n--" in project.content(mail)
    else:
        assert part.get_payload(decode=True) == content
