"""CR, LF, NUL and their kin never reach a header, an address, the envelope or a file name."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message.sample_project import INSTANT, Project, delivery

from bulkmail.message.faults import RowFaults

PLACES: dict[str, dict[str, Any]] = {
    "subject": {"subject": "Hello {{ x }}"},
    "to": {"to": "{{ x }} <a@b.example>"},
    "to as address": {"to": "{{ x }}"},
    "from": {"from": "{{ x }} <a@b.example>"},
    "reply_to": {"reply_to": "{{ x }} <a@b.example>"},
    "return_path": {"return_path": "{{ x }}@b.example"},
    "cc": {"cc": ["{{ x }} <a@b.example>"]},
    "bcc": {"bcc": ["{{ x }} <a@b.example>"]},
    "header": {"headers": {"X-Note": "{{ x }}"}},
    "sender": {"headers": {"Sender": "{{ x }} <a@b.example>"}},
    "filename": {"attachments": [{"path": "a.txt", "filename": "{{ x }}.txt"}]},
    "path": {"attachments": [{"path": "{{ x }}.txt"}]},
    "type": {"attachments": [{"path": "a.txt", "type": "text/{{ x }}"}]},
    "inline path": {"inline": {"logo": "{{ x }}.txt"}},
}
BAD = ["\r", "\n", "\r\n", "\0", "\t", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\ud800"]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("place", PLACES)
async def test_a_control_character_is_a_fault_of_the_row(
    project: Project, place: str, bad: str
) -> None:
    project.file("a.txt", "a")

    (fault,) = await project.faults({"x": f"a{bad}Bcc: evil@x.example"}, **PLACES[place])

    assert "U+" in fault.message or bad == "\0"
    assert "from the column `x`" in fault.message
    assert fault.line is not None
    assert fault.row == 1


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("column", ["name", "cc", "bcc"])
async def test_a_control_character_in_a_column_with_a_meaning_is_a_fault(
    project: Project, column: str, bad: str
) -> None:
    (fault,) = await project.faults({column: f"x{bad} <a@b.example>"})

    assert "U+" in fault.message
    assert fault.row == 1


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_a_control_character_in_the_own_address_is_a_fault(
    project: Project, bad: str
) -> None:
    with pytest.raises(RowFaults):
        await project.composer().compose(delivery(address=f"a{bad}@b.example"), INSTANT)


async def test_the_end_of_a_cell_is_looked_at_too(project: Project) -> None:
    (fault,) = await project.faults({"x": "Wei\n"}, subject="Hello {{ x }}")

    assert fault.message.startswith("a control character, U+000A, from the column `x`")


async def test_line_breaks_and_tabs_are_fine_where_only_a_body_uses_them(project: Project) -> None:
    project.template("offer.txt.j2", "{{ street }}")

    mail = await project.compose({"street": "1 Road\r\nTown\tX\rY"}, text="offer.txt.j2")

    assert project.text(mail) == "1 Road\nTown\tX\nY\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=60))
async def test_any_cell_gives_the_headers_that_were_meant_or_a_fault(
    project: Project, text: str
) -> None:
    keys = {
        "subject": "s {{ x }}",
        "headers": {"X-Note": "n {{ x }}"},
        "reply_to": "{{ x }} <r@x.example>",
    }
    try:
        mail = await project.compose({"x": text, "name": text}, **keys)
    except RowFaults:
        return

    header = project.content(mail).partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in header.split(b"\r\n") if line[:1] != b" "]
    assert names == [
        *(b"Date", b"From", b"To", b"Reply-To", b"Message-ID", b"Subject", b"X-Note"),
        *(b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"),
    ]
    assert mail.envelope.forward_paths == ("li.wei@example.com",)
