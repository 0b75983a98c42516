"""Which column holds the address, and what a header row must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bulkmail.campaign.nearest import did_you_mean

#: Names of the address column, in any case; the first that is there is taken. `address` comes
#: last: beside another of them it is where somebody lives.
EMAIL_ALIASES = ("email", "e-mail", "mail", "邮箱", "电子邮件", "address")
#: Names of the column of numbers, of which the same holds.
MOBILE_ALIASES = ("mobile", "phone", "手机", "手机号", "电话")
#: Columns that are recipients too: their names are taken in any case, and become these.
_COPIES = {"cc", "bcc"}
#: What a zip archive begins with, and a workbook is one.
_ARCHIVE = "PK\x03\x04"


def column_name(cell: str) -> str:
    """A column's name as templates know it."""
    name = cell.strip()
    return name.lower() if name.lower() in _COPIES else name


def header_problems(columns: Sequence[str]) -> list[str]:
    """What is wrong with a header row: sentences."""
    if columns and columns[0].startswith(_ARCHIVE):
        return ["this is no text, but a workbook, or another zip archive: its suffix is .xlsx"]
    problems = [
        f"column {number} has no name" for number, name in enumerate(columns, 1) if not name
    ]
    twice = {name for name, count in Counter(columns).items() if name and count > 1}
    problems += [
        f"column {number}'s name holds a NUL"
        for number, name in enumerate(columns, 1)
        if "\0" in name
    ]
    problems += [f"two columns are called `{name}`" for name in sorted(twice)]
    return problems


#: What some spreadsheets write between cells, where a comma is expected.
_FOREIGN_MARKS = {";": "`;`", "\t": "tabs (a .tsv is read so)", "，": "`，`", "|": "`|`"}


def find_column(
    columns: Iterable[str], aliases: Sequence[str], what: str, option: str
) -> str | None:
    """The column that is called by one of `aliases`, in any case; None where there is none.

    Raises `ValueError` when two differ in case only: `option` can say which of them holds `what`.
    """
    names = list(columns)
    for alias in aliases:
        found = [name for name in names if name.strip().lower() == alias]
        if len(found) > 1 and alias not in found:
            raise ValueError(
                f"{' and '.join(found)} could both hold the {what}: say which with `{option}:`"
            )
        if found:
            return alias if alias in found else found[0]
    return None


def no_email_column(columns: Iterable[str]) -> str:
    """The sentence for a list without a column that could hold the address."""
    called = "email, e-mail, mail, address, 邮箱 or 电子邮件"
    return _no_column(list(columns), called, "`recipients: {path: …, email: COLUMN}`")


def no_mobile_column(columns: Iterable[str]) -> str:
    """The sentence for a list without a column that could hold the number."""
    called = "mobile, phone, 手机, 手机号 or 电话"
    return _no_column(list(columns), called, "`mobile: COLUMN` in the campaign")


def _no_column(names: Sequence[str], called_so: str, option: str) -> str:
    sentence = f"no column is called {called_so}. There are: {', '.join(names) or 'none'}"
    for mark, called in _FOREIGN_MARKS.items():
        if len(names) == 1 and mark in names[0]:
            return f"{sentence}. They stand apart by {called}: save the file with commas"
    if len(names) == 1 and "," in names[0]:
        return f"{sentence}. They stand apart by commas: give the file the suffix .csv"
    if any("@" in name for name in names):
        return f"{sentence}. That is a recipient: a row of names of columns belongs above"
    return f"{sentence}. {option} can name one"


def unknown_column(name: str, columns: Sequence[str]) -> str:
    """The sentence for a column that is asked for and is not there."""
    hint = did_you_mean(name, columns)
    there = "" if hint.startswith("Known") else f" There are: {', '.join(columns)}."
    return f"there is no column `{name}`. {hint}{there}"
