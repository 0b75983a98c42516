"""Which column holds the address, and what a header row must be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkmail.campaign.nearest import did_you_mean

#: Names of the address column, in any case; the first that is there is taken. `address` comes
#: last: beside another of them it is where somebody lives.
EMAIL_ALIASES = ("email", "e-mail", "mail", "邮箱", "电子邮件", "address")
#: Columns that are recipients too: their names are taken in any case, and become these.
_COPIES = {"cc", "bcc"}


def column_name(cell: str) -> str:
    """A column's name as templates know it."""
    name = cell.strip()
    return name.lower() if name.lower() in _COPIES else name


def header_problems(columns: Sequence[str]) -> list[str]:
    """What is wrong with a header row: sentences."""
    problems = [
        f"column {number} has no name" for number, name in enumerate(columns, 1) if not name
    ]
    twice = {name for name in columns if name and columns.count(name) > 1}
    problems += [f"two columns are called `{name}`" for name in sorted(twice)]
    return problems


#: What some spreadsheets write between cells, where a comma is expected.
_FOREIGN_MARKS = {";": "`;`", "\t": "tabs (a .tsv is read so)", "，": "`，`", "|": "`|`"}


def find_email_column(columns: Iterable[str]) -> str | None:
    """The column that is called as an address column is; None where there is none.

    Raises `ValueError` when two differ in case only.
    """
    names = list(columns)
    for alias in EMAIL_ALIASES:
        found = [name for name in names if name.strip().lower() == alias]
        if len(found) > 1 and alias not in found:
            raise ValueError(
                f"{' and '.join(found)} could both hold the address: say which with `email:`"
            )
        if found:
            return alias if alias in found else found[0]
    return None


def no_email_column(columns: Iterable[str]) -> str:
    """The sentence for a list without a column that could hold the address."""
    names = list(columns)
    sentence = (
        f"no column is called email, e-mail, mail, address, 邮箱 or 电子邮件. There are: "
        f"{', '.join(names) or 'none'}"
    )
    for mark, called in _FOREIGN_MARKS.items():
        if len(names) == 1 and mark in names[0]:
            return f"{sentence}. They stand apart by {called}: save the file with commas"
    return f"{sentence}. `recipients: {{path: …, email: COLUMN}}` can name one"


def unknown_column(name: str, columns: Sequence[str]) -> str:
    """The sentence for a column that is asked for and is not there."""
    hint = did_you_mean(name, columns)
    there = "" if hint.startswith("Known") else f" There are: {', '.join(columns)}."
    return f"there is no column `{name}`. {hint}{there}"
