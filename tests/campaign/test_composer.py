"""YAML as it is read here: JSON's scalars, lines, and no surprises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.composer import MAX_DEPTH, read_document
from bulkmail.campaign.document import Place
from bulkmail.campaign.streaming import stream_items
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1.5e3", 1500.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("-0", "-0"),
        ("1e5", "1e5"),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("+8613800000000", "+8613800000000"),
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T09:00", "2026-12-01T09:00"),
        ("09:00-18:00", "09:00-18:00"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("9" * 200, "9" * 200),
    ],
)
def test_plain_scalars_are_what_json_makes_of_them_and_else_text(
    write: Write, text: str, value: object
) -> None:
    document = read_document(write("x.yaml", f"key: {text}\n"))

    assert document.value == {"key": value}
    assert not document.faults


def test_every_value_and_every_key_has_a_place(write: Write) -> None:
    document = read_document(write("x.yaml", "a: 1\nb:\n  - x\n  - c: y\n"))

    assert document.places[("b", 1, "c")] == Place(4, 8)
    assert document.key_places[("b", 1, "c")] == Place(4, 5)
    assert str(document.fault(("b", 1, "d"), "sentence")) == "x.yaml:4:5  b[1].d: sentence"


def test_merge_keys_put_what_is_written_first(write: Write) -> None:
    text = "base: &base {port: 25, host: x}\nserver:\n  <<: *base\n  port: 587\n"

    document = read_document(write("x.yaml", text))

    assert document.value["server"] == {"port": 587, "host": "x"}
    assert not document.faults


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2\n", "x.yaml:2:1  a: `a` is written twice (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1:11  a.b: `b` is written twice (first in line 1)"),
        (
            "a: !!python/object/apply:os.system [id]\n",
            (
                "x.yaml:1:4  a: a tag `!!python/object/apply:os.system`, which could make an "
                "object, is not read here; quote text"
            ),
        ),
        (
            "a: !s3cret x\n",
            "x.yaml:1:4  a: a tag, which could make an object, is not read here; quote text",
        ),
    ],
    ids=["duplicate", "nested duplicate", "python object", "own tag"],
)
def test_what_yaml_allows_and_we_do_not_is_a_fault(write: Write, text: str, sentence: str) -> None:
    assert [str(fault) for fault in read_document(write("x.yaml", text)).faults] == [sentence]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a: b: c\n",
            "x.yaml:1:5  not YAML: a `: ` where no key can end; quote text that has a colon",
        ),
        ("a: x\n  b: y\n", "x.yaml:2:3  not YAML: indented further than line 1, whose value is"),
        ("a:1\nb: 2\n", "x.yaml:1:2  not YAML: a key needs a colon and a space behind it"),
        (
            "a\uff1a1\nb: 2\n",
            "x.yaml:1:2  not YAML: a key needs a colon and a space behind it, and",
        ),
        ("a:\n  -b\n  -c: 1\n", "x.yaml:2:3  not YAML: an entry of a list needs a space"),
        ("a:\n\u3000 b: 1\n  c: 1\n", "x.yaml:2:1  not YAML: a wide or no-break space"),
        ('a: "x\nb: "y"\nc: "z"\n', "x.yaml:1:4  not YAML: a quote is opened here, and closed by"),
        ("a:\n  - b:c\nd: e: f\n", "x.yaml:3:5  not YAML: a `: ` where no key can end; quote text"),
        ("a: |\n  b:c\nd: e: f\n", "x.yaml:3:5  not YAML: a `: ` where no key can end; quote"),
        ('a: 5" pipe\nb: "x" y\n', "x.yaml:2:8  not YAML: no key where one belongs"),
        ('a: "b\n  c"\nd: "x" y\n', "x.yaml:3:8  not YAML: no key where one belongs"),
        ("a: *Hello*\n", "x.yaml:1:4  not YAML: a value that begins with * or &; quote text"),
        ("a: - b\n", "x.yaml:1:4  not YAML: `- ` behind a key; each entry of a list has a line"),
        ("a: 1\nb:2\nc: 3\n", "x.yaml:2:1  not YAML: a key needs a colon and a space behind it"),
        ("a: 1\nb\uff1a2\nc: 3\n", "x.yaml:2:1  not YAML: a key needs a colon and a space"),
        ("a:\n  b: 1\n c: 1\n", "x.yaml:3:2  not YAML: no key where one belongs; indent it"),
        ("a:\n  - b\n  c: 1\n", "x.yaml:3:3  not YAML: neither a further `- ` nor the list's end"),
        ("a:\n\tb: 1\n", "x.yaml:2:1  not YAML: a tab, @, ` or % that begins a value; indent by "),
        ("a: 1\nb: x\n\tc: 1\n", "x.yaml:3:1  not YAML: a tab where YAML is indented"),
        ('a: "\n', "x.yaml:1:4  not YAML: a quote is opened here and never closed"),
        ("a: [1\nb: 2\n", "x.yaml:1:4  not YAML: a list that [ opens here has no ]"),
        ("a: {b: 1\n", "x.yaml:1:4  not YAML: a mapping that { opens here has no }"),
        ("a: 1\nb: 'x\nc: 1\n", "x.yaml:2:4  not YAML: a quote is opened here and never closed"),
        ("a: {{ name }}\n", "a key that is no word; put a value that begins with {{ in quotes"),
        ("? [a]\n: b\n", "x.yaml:1:3  a key that is no word"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1  a second document: one file holds one"),
        ("a: *s3cret\n", "x.yaml:1:4  an alias (*) of nothing that is complete before it"),
        ("a: &a [*a]\n", "x.yaml:1:8  an alias (*) of nothing that is complete before it"),
        ("a: 1\nb: x\0y\n", "x.yaml:2  a control character, U+0000"),
        ('a: "\\ud800"\n', "x.yaml:1:7  not YAML: "),
        (b"a: 1\nb: \xc4\xe3\n", "x.yaml:2  bytes that are not utf-8: save it as UTF-8"),
        (b"\xff\xfea\0:\0", "x.yaml:1  bytes that are not utf-8: save it as UTF-8"),
        ("[" * 100_000, f"nested more than {MAX_DEPTH} levels deep"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_cannot_be_read_stops_with_line_and_column(
    write: Write, text: str | bytes, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_document(write("x.yaml", text))

    assert sentence in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_alias_bomb_does_not_go_off(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    with pytest.raises(ConfigurationError, match="aliases that stand for more than 100,000 values"):
        read_document(write("x.yaml", "\n".join(lines)))


def test_a_byte_order_mark_is_no_part_of_the_first_key(write: Write) -> None:
    assert read_document(write("x.yaml", "\ufeffa: 1\n")).value == {"a": 1}


def test_a_missing_file_and_a_folder_are_said_so(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone.yaml  there is no such file"):
        read_document(project / "gone.yaml")
    with pytest.raises(ConfigurationError, match="templates  this is a folder"):
        read_document(project / "templates")


def test_a_list_is_streamed_with_lines_and_faults_of_each_item(write: Write) -> None:
    path = write("x.yaml", "# list\n- a: 1\n- {b: 1, b: 2}\n- c\n")

    items = list(stream_items(path, "utf-8"))

    assert [(item.line, item.value) for item in items] == [(2, {"a": 1}), (3, {"b": 2}), (4, "c")]
    assert [len(item.faults) for item in items] == [0, 1, 0]


def test_what_is_good_in_a_list_comes_before_what_breaks_it(write: Write) -> None:
    stream = stream_items(write("x.yaml", "- a: 1\n- b: [\n"), "utf-8")

    assert next(stream).value == {"a": 1}
    with pytest.raises(ConfigurationError, match=r"x.yaml:3:1  not YAML"):
        next(stream)


def test_a_file_that_is_no_list_is_not_streamed(write: Write) -> None:
    with pytest.raises(ConfigurationError, match="not a list of recipients"):
        list(stream_items(write("x.yaml", "a: 1\n"), "utf-8"))
