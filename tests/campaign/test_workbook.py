"""Recipients from a workbook, written here by hand so that every cell is known."""

import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from xml.sax.saxutils import escape

import pytest

from bulkmail.campaign.recipients import RecipientList
from bulkmail.errors import ConfigurationError

pytest.importorskip("python_calamine")
Recipients = Callable[..., RecipientList]

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
UNKNOWN = "a formula without its result: open the file in a spreadsheet program and save it"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(rows: list[list[str | float | None]], sheet: str = "Sheet1") -> bytes:
    """The smallest .xlsx of these rows; a cell of None is not there at all."""
    lines = ""
    for number, row in enumerate(rows, 1):
        cells = "".join(
            cell(f"{chr(65 + column)}{number}", value) for column, value in enumerate(row)
        )
        lines += f'<row r="{number}">{cells}</row>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        f'<sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2">'
        '<xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{lines}'
        "</sheetData></worksheet>",
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return buffer.getvalue()


def cell(place: str, value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith("date:"):
        return f'<c r="{place}" s="1"><v>{value[5:]}</v></c>'
    if isinstance(value, str) and value.startswith("<c"):
        return value
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def test_numbers_that_are_whole_are_whole_and_dates_are_iso(recipients: Recipients) -> None:
    content = workbook([["email", "姓名", "n", "day"], ["a@b", "李", 5.0, "date:46357"], ["c@d"]])

    opened = recipients("x.xlsx", content)
    rows = list(opened.rows())

    assert opened.columns == ("email", "姓名", "n", "day")
    assert rows[0].fields == {"email": "a@b", "姓名": "李", "n": 5, "day": "2026-12-01"}
    assert rows[1].fields == {"email": "c@d", "姓名": "", "n": "", "day": ""}
    assert not any(row.faults for row in rows)


def test_rows_are_counted_by_the_sheets_own_numbers(recipients: Recipients) -> None:
    content = workbook([[], ["email", "x"], [], ["a@b", 1.5], [None, None], ["c d", "y"]])

    rows = list(recipients("x.xlsx", content).rows())

    assert [(row.number, row.line) for row in rows] == [(1, 4), (2, 6)]
    assert rows[0].fields["x"] == 1.5
    assert str(rows[1].faults[0]).startswith("campaigns/x.xlsx:6  `c d` is not an address")


def test_a_cell_beyond_the_header_is_a_fault_of_its_row(recipients: Recipients) -> None:
    [row] = recipients("x.xlsx", workbook([["email"], ["a@b", "stray"]])).rows()

    assert row.faults[0].message == "cells beyond the last column of the header"


def test_a_cell_without_the_value_it_should_have_is_a_fault_of_its_row(
    recipients: Recipients,
) -> None:
    content = workbook(
        [
            ["email", "pay", "note"],
            ["a@b", '<c r="B2" t="e"><f>VLOOKUP(1,A:B,2)</f><v>#N/A</v></c>', "x"],
            ["c@d", '<c><f>A1&amp;"!"</f><v/></c>', '<c t="e"><v>#REF!</v></c>'],
            ["e@f", '<c t="str"><f>""</f><v></v></c>', "<c><f>1+1</f><v>2</v></c>"],
            [None, '<c r="B5" t="e"><v>#NAME?</v></c>'],
        ]
    )

    rows = list(recipients("x.xlsx", content).rows())

    assert [[fault.message for fault in row.faults] for row in rows] == [
        ["`pay` is #N/A, where a value should be"],
        [
            f"`pay` is {UNKNOWN}",
            "`note` is #REF!, where a value should be",
        ],
        [],
        ["`pay` is #NAME?, where a value should be", "no address: `email` is empty"],
    ]
    assert rows[0].faults[0].line == 2
    assert rows[2].fields == {"email": "e@f", "pay": "", "note": 2}


def test_rows_of_formulas_without_results_at_the_end_are_none_the_less_rows(
    recipients: Recipients,
) -> None:
    unknown = '<c r="A3"><f>Staff!A3</f></c>'
    beside = '<c r="D4"><f>COUNTA(A:A)</f></c>'

    rows = list(recipients("x.xlsx", workbook([["email"], ["a@b"], [unknown], [beside]])).rows())

    assert [(row.number, [fault.message for fault in row.faults]) for row in rows] == [
        (1, []),
        (2, [f"`email` is {UNKNOWN}", "no address: `email` is empty"]),
    ]
    assert rows[1].faults[0].line == 3


def test_parts_may_be_named_with_the_slashes_of_windows(recipients: Recipients) -> None:
    buffer = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(workbook([["email"], ["a@b"]]))) as theirs,
        zipfile.ZipFile(buffer, "w") as ours,
    ):
        for name in theirs.namelist():
            ours.writestr(name.replace("/", "\\"), theirs.read(name))

    assert [row.fields for row in recipients("x.xlsx", buffer.getvalue()).rows()] == [
        {"email": "a@b"}
    ]


def test_a_sheet_is_taken_by_name(recipients: Recipients) -> None:
    content = workbook([["email"], ["a@b"]], sheet="Staff")

    assert next(recipients("x.xlsx", content, sheet="Staff").rows()).address == "a@b"
    with pytest.raises(
        ConfigurationError, match=r"there is no sheet `Stuff`. Did you mean `Staff`"
    ):
        recipients("x.xlsx", content, sheet="Stuff")
    with pytest.raises(ConfigurationError, match=r"a .xlsx file has no encoding"):
        recipients("x.xlsx", content, encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"email\na@b\n", "this is no workbook (a CSV file needs the suffix .csv)"),
        (b"", "this is no workbook"),
        (b"PK\x03\x04", "cannot be read as .xlsx: "),
        (b"\xd0\xcf\x11\xe0\xa1", "an .xls file of old, or one with a password: save it as .xlsx"),
        (workbook([]), "the sheet is empty"),
        (workbook([["email"]]), "is empty: there is nobody to send to"),
        (workbook([["email", None, "x"], ["a@b"]]), "header: column 2 has no name"),
    ],
    ids=["text", "nothing", "cut off", "old", "no rows", "header alone", "a gap"],
)
def test_a_workbook_of_no_use_is_refused(
    recipients: Recipients, content: bytes, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        recipients("x.xlsx", content)

    assert sentence in str(caught.value)


def test_a_missing_extra_says_what_to_install(
    recipients: Recipients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'bulkmail\[xlsx\]'"):
        recipients("x.xlsx", workbook([["email"], ["a@b"]]))
