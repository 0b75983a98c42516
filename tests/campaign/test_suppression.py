"""Addresses that get nothing, out of files that people and providers write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.suppression import read_suppressions, suppressed_addresses
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]
Load = Callable[..., Campaign]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "# gone\nA@b.example\n\n  c#d@e.example  # asked in May\n"),
        ("x.csv", "# gone\nA@b.example\nc#d@e.example\n"),
        ("x.csv", "\ufeffwhen,E-Mail\nMay,A@b.example\nJune, c#d@e.example\n"),
        ("x.tsv", "mail\twhen\nA@b.example\tMay\nc#d@e.example\t\n"),
        ("list", "A@b.example\r\nc#d@e.example"),
    ],
    ids=["lines", "lines in a .csv", "columns", "tabs", "no suffix"],
)
def test_addresses_come_in_lower_case(write: Write, name: str, content: str) -> None:
    found = list(read_suppressions(write(name, content)))

    assert found == ["a@b.example", "c#d@e.example"]


@pytest.mark.parametrize("content", ["", "# nobody yet\n"])
def test_an_empty_list_suppresses_nobody(write: Write, content: str) -> None:
    assert list(read_suppressions(write("x.csv", content))) == []


def test_all_bad_lines_are_named_behind_the_good_ones(write: Write) -> None:
    stream = read_suppressions(write("x.txt", "a@b\nc d@e\nf\ng@h\n"))

    assert [next(stream), next(stream)] == ["a@b", "g@h"]
    with pytest.raises(ConfigurationError) as caught:
        next(stream)
    assert str(caught.value).splitlines() == [
        "x.txt:2  `c d@e` is not an address: a space before the @",
        "x.txt:3  `f` is not an address: no @",
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv", "name,tel\nLi,5\n", "x.csv:1  no column is called email (or mail,"),
        ("x.csv", "email,why\na@b\n", "x.csv:2  1 cell where the header has 2 columns"),
        ("x.xlsx", b"PK\x03\x04", "x.xlsx  is no text: save the sheet as CSV, in UTF-8"),
        ("x.txt", b"a@b\n\xc4\xe3\n", "x.txt:2  bytes that are not utf-8"),
    ],
)
def test_a_list_of_no_use_is_refused(
    write: Write, name: str, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(read_suppressions(write(name, content)))

    assert sentence in str(caught.value)


def test_a_campaign_reads_all_its_lists(write: Write, load: Load) -> None:
    write("campaigns/one.csv", "email\na@b\n")
    write("two.txt", "c@d\n")
    campaign = load("recipients: [{email: a@b}]\nsuppress: [one.csv, two.txt]\n")

    assert list(suppressed_addresses(campaign)) == ["a@b", "c@d"]


def test_a_missing_list_is_said_before_anything_is_read(write: Write, load: Load) -> None:
    write("one.txt", "a@b\n")
    campaign = load("recipients: [{email: a@b}]\nsuppress: [one.txt, gone.txt]\n")

    with pytest.raises(ConfigurationError, match=r"suppress\[1\]: gone.txt does not exist"):
        next(suppressed_addresses(campaign))


def test_all_missing_lists_are_named_at_once(write: Write, load: Load) -> None:
    write("one.txt", "a@b\n")
    campaign = load("recipients: [{email: a@b}]\nsuppress: [gone.txt, one.txt, away.txt]\n")

    with pytest.raises(ConfigurationError) as caught:
        next(suppressed_addresses(campaign))

    assert [fault.key for fault in caught.value.faults] == ["suppress[0]", "suppress[2]"]


@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_a_list_in_another_encoding_is_to_be_saved_as_utf_8(write: Write, name: str) -> None:
    content = ("email,name\n" if name.endswith("csv") else "") + "wang@example.com,王芳\n"

    with pytest.raises(ConfigurationError, match=r"bytes that are not utf-8: save it as UTF-8"):
        list(read_suppressions(write(name, content.encode("gb18030"))))
