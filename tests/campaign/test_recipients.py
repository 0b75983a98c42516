"""Recipient lists of every kind: streamed rows, each with what is wrong with it."""

import codecs
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList, open_recipients
from bulkmail.campaign.recipients.json_rows import json_list_records
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]
Load = Callable[..., Campaign]
Recipients = Callable[..., RecipientList]

ROWS = [{"email": "Li@x.example", "name": "李"}, {"email": "w@x.example", "name": "王"}]
CSV = "email,name\nLi@x.example,李\nw@x.example,王\n"
YAML = "- email: Li@x.example\n  name: 李\n- email: w@x.example\n  name: 王\n"
JSON_LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def faults_of(recipients: RecipientList) -> list[str]:
    return [str(fault) for row in recipients.rows() for fault in row.faults]


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("x.csv", CSV, [2, 3]),
        ("x.tsv", CSV.replace(",", "\t"), [2, 3]),
        ("X.CSV", "\ufeff" + CSV.replace("\n", "\r\n"), [2, 3]),
        ("x.jsonl", JSON_LINES, [1, 2]),
        ("x.json", json.dumps(ROWS, indent=0), [2, 6]),
        ("x.yaml", YAML, [1, 3]),
        ("x.yml", YAML, [1, 3]),
    ],
)
def test_each_kind_of_file_gives_the_same_rows(
    recipients: Recipients, name: str, content: str, lines: list[int]
) -> None:
    rows = list(recipients(name, content).rows())

    assert [row.fields for row in rows] == ROWS
    assert [(row.number, row.address, row.key) for row in rows] == [
        (1, "Li@x.example", "li@x.example"),
        (2, "w@x.example", "w@x.example"),
    ]
    assert [row.line for row in rows] == lines
    assert not any(row.faults for row in rows)


def test_rows_may_stand_in_the_campaign_itself(load: Load) -> None:
    campaign = load("recipients:\n  - email: a@b\n    code: 007\n  - mail: c d\n")

    rows = list(open_recipients(campaign).rows())

    assert [(row.line, row.fields) for row in rows] == [
        (5, {"email": "a@b", "code": "007"}),
        (7, {"mail": "c d"}),
    ]
    [fault] = rows[1].faults
    assert str(fault).startswith("campaigns/offer.yaml:7:5  recipients[1]: `c d` is not an")


def test_the_long_form_gives_inline_rows_a_key(load: Load) -> None:
    campaign = load("recipients: {key: id, rows: [{email: a@b, id: 7}]}\n")

    [row] = open_recipients(campaign).rows()

    assert (row.key, row.line) == ("7", 4)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("name,E-Mail", "E-Mail"),
        ("name, EMAIL ", "EMAIL"),
        ("邮箱,name", "邮箱"),
        ("name,电子邮件", "电子邮件"),
        ("Mail,name", "Mail"),
        ("Address,name", "Address"),
        ("address,email", "email"),
        ("Email,email", "email"),
    ],
)
def test_the_address_column_goes_by_many_names(
    recipients: Recipients, header: str, column: str
) -> None:
    opened = recipients("x.csv", f"{header}\na@b,a@b\n")

    assert opened.email_column == column
    assert next(opened.rows()).address == "a@b"


def test_the_address_column_can_be_named(recipients: Recipients) -> None:
    opened = recipients("x.csv", "work,email\na@b,c@d\n", email="work")

    assert next(opened.rows()).address == "a@b"


def test_cc_and_bcc_columns_are_called_so_in_any_case(recipients: Recipients) -> None:
    opened = recipients("x.csv", 'email,CC,Bcc\na@b,"c@d; E <e@f>",g\n')

    [row] = opened.rows()

    assert opened.columns == ("email", "cc", "bcc")
    assert row.fields["cc"] == "c@d; E <e@f>"
    assert [fault.message for fault in row.faults] == ["bcc: `g` is not an address: no @"]


@pytest.mark.parametrize(
    ("record", "line", "sentence"),
    [
        (",x,", 3, "no address: `email` is empty"),
        ("  ,x,", 3, "no address: `email` is empty"),
        ("a b@c,x,", 3, "`a b@c` is not an address: a space before the @"),
        ("Li <a@b>,x,", 3, "`Li <a@b>` is not an address: a name or angle brackets"),
        ('"a@b\nc",x,', 3, "`a@b\\nc` is not an address: a control character, U+000A"),
        ("a\x1b@b,x,", 3, "`a\\x1b@b` is not an address: a control character, U+001B"),
        ("a@b,x\0y,", 3, "column `name` holds a NUL (row 2, a@b)"),
        ("a@b,x", 3, "2 cells where the header has 3 columns (row 2, a@b)"),
        ("a@b", 3, "1 cell where the header has 3 columns"),
        (
            "a@b,Li, Wei,y",
            3,
            "4 cells where the header has 3 columns: a comma in a cell needs quotes",
        ),
        (",,", 3, "no address: `email` is empty (row 2)"),
        ('a@b,"x"y,', 3, "something stands behind a closing quote"),
        (
            "a@b,x,c@d e@f",
            3,
            "cc: `c@d e@f` is not an address: several addresses, where one belongs",
        ),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_bad_row_is_named_by_file_line_and_row(
    recipients: Recipients, record: str, line: int, sentence: str
) -> None:
    opened = recipients("x.csv", f"email,name,cc\nok@b,x,\n{record}\nok@c,x,\n")

    rows = list(opened.rows())

    assert [bool(row.faults) for row in rows] == [False, True, False]
    found = faults_of(opened)
    assert found[0].startswith(f"campaigns/x.csv:{line}  ")
    assert sentence in found[0]
    assert "(row 2" in found[0]


def test_a_record_of_many_lines_has_the_line_it_begins_at(recipients: Recipients) -> None:
    content = 'email,note\n\n"a@b","one\ntwo\n\nthree"\n\n   \nc d,x\n'

    rows = list(recipients("x.csv", content).rows())

    assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 9)]
    assert rows[0].fields["note"] == "one\ntwo\n\nthree"
    assert not rows[0].faults


def test_a_cell_may_hold_a_letter_of_its_own(recipients: Recipients) -> None:
    letter = "x" * 1_000_000

    (row,) = recipients("x.csv", f"email,letter\na@b.example,{letter}\n").rows()

    assert row.fields["letter"] == letter
    assert not row.faults


@pytest.mark.parametrize(
    "content", ['email,name\na@b,"x\nc@d,y\n', 'email,name\na@b,"' + "x" * 4_100_000]
)
def test_a_quote_that_is_never_closed_swallows_nobody(recipients: Recipients, content: str) -> None:
    with pytest.raises(ConfigurationError, match=r"x.csv:2  a quote is opened and never closed"):
        list(recipients("x.csv", content).rows())


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv", "", "the file is empty: a header row"),
        ("x.csv", "\n\n", "the file is empty: a header row"),
        ("x.csv", "email\n", "is empty: there is nobody to send to"),
        ("x.csv", "email,,x\na,b,c\n", "x.csv:1  header: column 2 has no name"),
        ("x.csv", ",,\na@b,x,\n", "x.csv:1  header: column 1 has no name"),
        ("x.csv", "email,n\0\na@b,c\n", "x.csv:1  header: column 2's name holds a NUL"),
        ("x.csv", "email,x, x\na,b,c\n", "x.csv:1  header: two columns are called `x`"),
        ("x.csv", "\nname,tel\na,b\n", "x.csv:2  no column is called email, e-mail, mail"),
        ("x.csv", "name,tel\na,b\n", "There are: name, tel."),
        ("x.csv", "PK\x03\x04", "x.csv:1  header: this is no text, but a workbook"),
        ("x.csv", "li@b,Li\n", "That is a recipient: a row of names of columns belongs above"),
        ("x.tsv", "name,email\n", "They stand apart by commas: give the file the suffix .csv"),
        ("x.csv", "name;email\na;b@c\n", "They stand apart by `;`: save the file with commas"),
        ("x.csv", "name\temail\na\tb@c\n", "They stand apart by tabs (a .tsv is read so): save"),
        ("x.csv", "Mail,MAIL\na,b\n", "Mail and MAIL could both hold the address"),
        ("x.csv", "\ufeff".encode("utf-16") + b"x", "x.csv:1  header: bytes that are not utf-8"),
        ("x.jsonl", "\n\n", "is empty: there is nobody to send to"),
        ("x.json", "[]", "is empty: there is nobody to send to"),
        ("x.json", '{"email": "a@b"}', "x.json:1:1  not a list of recipients"),
        ("x.json", '[\n{"email": }]', "x.json:2:11  not JSON: a value belongs there"),
        ("x.json", "", "not a list of recipients"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.yaml", "email: a@b\n", "x.yaml:1:1  not a list of recipients"),
        ("x.yaml", "", "is empty: there is nobody to send to"),
        ("x.txt", "a@b\n", "`x.txt` is of no kind that is read here: .csv, .tsv"),
        ("x.csv", "name\n李\n".encode("gb18030"), "There are: name."),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_list_that_is_none_is_refused_when_it_is_opened(
    recipients: Recipients, name: str, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        recipients(name, content)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"email": "mial"}, "recipients.email: there is no column `mial`. Did you mean `email`?"),
        ({"key": "emplyee"}, "recipients.key: there is no column `emplyee`. Known here: email, na"),
        ({"encoding": "utf8x"}, "recipients.encoding: `utf8x` is not an encoding known here"),
        ({"sheet": "A"}, "recipients.sheet: a .csv file has no sheet"),
        ({"encoding": "gb18030"}, "x.csv:1  not gb18030, but UTF-8: leave `encoding` out"),
    ],
)
def test_an_option_that_does_not_fit_is_a_fault_of_its_key(
    recipients: Recipients, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        recipients("x.csv", "email,name\na@b,录用通知\n", **options)

    assert sentence in str(caught.value)


def test_a_column_of_languages_that_is_not_there_is_a_fault_of_its_key(
    project: Path, load: Load
) -> None:
    (project / "people.csv").write_text("email,name,lang\na@b.example,Ada,zh\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"language: there is no column `Lang`\. Did you"):
        open_recipients(load("recipients: people.csv\nlanguage: Lang\n"))

    assert open_recipients(load("recipients: people.csv\nlanguage: lang\n")).columns
    assert open_recipients(load("recipients: people.csv\n")).columns


def test_a_missing_list_and_a_folder_are_faults_of_the_campaign(
    project: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"offer.yaml:4:13  recipients: gone.csv does not"):
        open_recipients(load("recipients: gone.csv\n"))
    (project / "offers.csv").write_text("email\n")
    with pytest.raises(ConfigurationError, match=r"Did you mean `\.\./offers\.csv`\?"):
        open_recipients(load("recipients: ../Offers.csv\n"))
    with pytest.raises(ConfigurationError, match=r"Did you mean `offers\.csv`\?"):
        open_recipients(load("recipients: Offers.csv\n"))
    monkeypatch.setattr("bulkmail.campaign.project.MANY", 1)
    with pytest.raises(ConfigurationError, match=r"Offers\.csv does not exist$"):
        open_recipients(load("recipients: ../Offers.csv\n"))
    (project / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match=r"recipients.path: folder.csv is a folder, where"):
        open_recipients(load("recipients: {path: folder.csv}\n"))


@pytest.mark.parametrize(
    "content",
    [
        "email,name,\na@b,x,\nc@d,y,\n",  # columns without a name, nothing in them
        "email,name,\na@b,x, \nc@d,y,\t\n",
        "email,name,,,\na@b,x,,,\nc@d,y\n",
        "email,name\na@b,x\nc@d,y\n,\n,\n",  # lines of empty cells at the end
        "email,name,\na@b,x,\n\nc@d,y,\n,,\n\n,,,,,\n",
    ],
)
def test_what_a_spreadsheet_leaves_at_the_end_is_nothing(
    recipients: Recipients, content: str
) -> None:
    rows = list(recipients("x.csv", content).rows())

    assert [(row.number, dict(row.fields), row.faults) for row in rows] == [
        (1, {"email": "a@b", "name": "x"}, ()),
        (2, {"email": "c@d", "name": "y"}, ()),
    ]


def test_a_cell_in_a_column_without_a_name_is_told(recipients: Recipients) -> None:
    first, second = recipients("x.csv", "email,name,\na@b,x,lost\nc@d,y,\n").rows()

    assert [str(fault) for fault in first.faults] == [
        f"{first.faults[0].path}:2  a cell beyond the last column that has a name (row 1, a@b)"
    ]
    assert not second.faults


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "shift_jis", "utf-16", "utf-8"])
def test_a_list_is_read_in_the_encoding_it_is_said_to_be_in(
    recipients: Recipients, encoding: str
) -> None:
    opened = recipients("x.csv", "email,name\na@b,上海\n".encode(encoding), encoding=encoding)

    [row] = opened.rows()

    assert row.fields["name"] == "上海"


def test_a_list_in_another_encoding_than_said_says_which_lines(recipients: Recipients) -> None:
    opened = recipients("x.csv", "email,name\na@b,上海\nc@d,x\n".encode("gb18030"))

    assert faults_of(opened) == [
        "campaigns/x.csv:2  bytes that are not utf-8: try `encoding: gb18030` (row 1, a@b)"
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nope", "not JSON: a value belongs there; text has double quotes around it, column 1"),
        ('{"email": "a@b",}', "not JSON: a name in double quotes belongs there, column 17"),
        ("[", "a list, where each row has a line: its suffix is .json"),
        ('"a@b"', "not a mapping of columns to values, such as email: a@b"),
        (f'"{"a" * 999}@b"', f"such as email: {'a' * 100}…"),
        ("[1]", "not a mapping of columns to values"),
        ('{"email": 5}', "no address: `email` holds a number"),
        ('{"email": null}', "no address: `email` is empty"),
        ('{"email": ["a@b"]}', "no address: `email` holds a list"),
        ("{}", "no address: no column is called email"),
        ('{"email": "a@b", "email": "c@d"}', "`email` is written twice in one object"),
        ('{"email": "a@b", "x": NaN}', "NaN is not JSON"),
        ('{"email": "a@b", "x": 1e999}', "a number beyond all bounds"),
        ('{"email": "a@b", "x": ' + "9" * 5000 + "}", "a number of more than 100 digits"),
        ('{"email": "a@b", "x": "\\u0000"}', "column `x` holds a NUL"),
        ('{"email": "a@b", "x": {"y": ["\\u0000"]}}', "column `x` holds a NUL"),
        ('{"email": "a@b", "x": "\\ud800"}', "column `x` holds half a character"),
        ('{"email": "\\ud800@b"}', "`\\ud800@b` is not an address: half a character, U+D800"),
        ('{"email": "a@b", "cc": ["c@d", 5]}', "cc: holds a number, where addresses belong"),
        ('{"email": "a@b", "cc": ["c@d", "e"]}', "cc: `e` is not an address: no @"),
        ("[" * 100_000, "nested too deeply"),
        ('{"email": "a@b", "x": ' + "[" * 500 + "]" * 500 + "}", "is nested too deeply"),
    ],
    ids=lambda value: ascii(value)[:32],
)
def test_a_bad_line_of_json_is_one_bad_row(
    recipients: Recipients, line: str, sentence: str
) -> None:
    opened = recipients("x.jsonl", '{"email": "ok@b"}\n\n' + line + '\n{"email": "ok@c"}\n')

    rows = list(opened.rows())

    assert [bool(row.faults) for row in rows] == [False, True, False]
    assert rows[1].line == 3
    assert sentence in rows[1].faults[0].message
    kept = [rows[1].fields, rows[1].address, rows[1].key]
    assert json.dumps(kept, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('[{"email": "a@b"},\n]', "x.json:2:1  not JSON: a comma before the list's end"),
        ('[{"email": "a@b"}\n{}]', "x.json:2:1  not JSON: a comma or ] is missing"),
        ('[{"email": "a@b"}]\nx', "x.json:2:1  something stands behind the list"),
        ('[{"email": "a@b"},\n{"x": 1, "x": 2}]', "x.json:2:1  `x` is written twice"),
    ],
)
def test_json_that_breaks_off_is_no_list(recipients: Recipients, content: str, place: str) -> None:
    opened = recipients("x.json", content)

    with pytest.raises(ConfigurationError) as caught:
        list(opened.rows())
    assert place in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
)


@given(st.lists(st.dictionaries(st.text("abc"), JSON_VALUES), max_size=5), st.integers(0, 4))
def test_a_json_list_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], indent: int
) -> None:
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(json.dumps(rows, indent=indent))

    assert [record.fields for record in json_list_records(path, "utf-8")] == rows


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("a@b,", "no key: `id` is empty"),
        ("a@b,  ", "no key: `id` is empty"),
        ('a@b,"1\n2"', "the key in `id` holds a control character, U+000A"),
    ],
)
def test_a_key_is_something_on_one_line(recipients: Recipients, row: str, sentence: str) -> None:
    assert sentence in faults_of(recipients("x.csv", f"email,id\n{row}\n", key="id"))[0]


def test_a_key_is_text_without_surrounding_space(recipients: Recipients) -> None:
    content = '{"email": "a@b", "id": 7}\n{"email": "a@b", "id": " x "}\n{"email": "a@b"}\n'

    rows = list(recipients("x.jsonl", content, key="id").rows())

    assert [row.key for row in rows] == ["7", "x", ""]
    assert "no key: there is no column `id`" in rows[2].faults[0].message


def test_a_digest_is_of_the_content_and_the_options(recipients: Recipients) -> None:
    first = recipients("x.csv", "email,id\na@b,1\n").sha256()

    assert recipients("x.csv", "email,id\na@b,1\n").sha256() == first
    assert recipients("x.csv", "email,id\na@b,2\n").sha256() != first
    assert recipients("x.csv", "email,id\na@b,1\n", key="id").sha256() != first


def test_inline_rows_have_a_digest_as_well(load: Load) -> None:
    first = open_recipients(load("recipients: [{email: a@b, x: 1}]\n")).sha256()

    assert open_recipients(load("recipients: [{x: 1, email: a@b}]\n")).sha256() == first
    assert open_recipients(load("recipients: [{email: a@b, x: 2}]\n")).sha256() != first


def test_a_large_file_that_is_read_whole_is_spoken_of(
    recipients: Recipients, project: Path
) -> None:
    opened = recipients("x.json", '[{"email": "a@b"}]')
    assert opened.notice == ""

    with (project / "campaigns" / "x.json").open("r+b") as file:
        file.seek(60_000_000)
        file.write(b" ")
    assert "60 MB" in opened._source.notice  # the source alone: a list would read the file


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.yaml"])
def test_memory_does_not_grow_with_the_number_of_rows(recipients: Recipients, name: str) -> None:
    one = {"x.csv": "a@b,x\n", "x.jsonl": '{"email": "a@b"}\n', "x.yaml": "- email: a@b\n"}[name]
    head = "email,name\n" if name == "x.csv" else ""
    opened = recipients(name, head + one * 20_000)

    tracemalloc.start()
    count = sum(1 for _ in opened.rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 2_000_000


def test_a_utf8_mark_in_front_of_another_encoding_is_noticed(recipients: Recipients) -> None:
    with pytest.raises(ConfigurationError, match="but UTF-8"):
        recipients("x.csv", codecs.BOM_UTF8 + b"email\na@b\n", encoding="latin-1")


def test_what_is_no_address_is_shown_in_part_where_it_is_long(recipients: Recipients) -> None:
    (fault,) = faults_of(recipients("x.csv", f"email\n{'y' * 1_000_000}\n"))

    assert fault == f"campaigns/x.csv:2  `{'y' * 100}…` is not an address: no @ (row 1)"
