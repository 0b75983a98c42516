"""Named SQL statements, out of the `.sql` files beside this module.

A file holds any number of statements, each under a line ``-- name --`` and one line that says what
it is for. Statements are looked up by name and run as they stand: nothing is pasted into them, but
that one for a row of `VALUES` is made one for many by `for_rows`.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

#: Rows of one statement at most: behind each the interpreter is waited for, which whoever reads a
#: list meanwhile keeps for 5 ms. With 64 a long list took a fifth longer, with 1,024 as long. What
#: is left is made up of its halves, so that few are to be compiled.
_MOST = 256
#: So few are one statement, however many they are: a second one takes as long as three rows.
_FEW = 16
#: A row of parameters.
_ROW = re.compile(r"(?<=\(VALUES )\([?, \n]+\)")
_HEADING = re.compile(r"^-- ([a-z][a-z ]*[a-z]) --$", re.MULTILINE)


@functools.cache
def load(file: str) -> Mapping[str, str]:
    """The statements of ``<file>.sql`` by name."""
    text = Path(__file__).with_name(f"{file}.sql").read_text("utf-8")
    return MappingProxyType(parse(text))


def parse(text: str) -> dict[str, str]:
    """Statements by name. Raises `ValueError` when one is named twice or says nothing of itself."""
    _, *pieces = _HEADING.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        description, _, statement = body.strip().partition("\n")
        if name in statements or not description.startswith("-- ") or not statement.strip():
            raise ValueError(f"statement {name!r} is there twice, or has no description or no SQL")
        statements[name] = statement.strip()
    return statements


def execute_for(
    connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[int, int]]:
    """Run a statement with one row of parameters for all `rows`, in as few as there can be.

    Of each it gives how many rows it was for, and how many it changed. It runs as it is iterated.
    """
    begin = 0
    while begin < len(rows):
        left = len(rows) - begin
        count = left if left <= _FEW else min(_MOST, 1 << left.bit_length() - 1)
        told = list(chain.from_iterable(rows[begin : begin + count]))
        # `execute` would let go of the interpreter once more, to see which row was inserted last.
        yield count, connection.executemany(for_rows(statement, count), (told,)).rowcount
        begin += count


@functools.cache
def for_rows(statement: str, count: int) -> str:
    """A statement with one row of parameters, ``(VALUES (?, ?))``, made one for `count` rows."""
    return _ROW.sub(lambda row: ", ".join([row[0]] * count), statement, count=1)


def bindable(text: str) -> str:
    r"""A text that may have bytes of the file system or the command line in it, as SQLite takes it.

    No encoding takes those (halves of surrogate pairs): they are written out, `\udcff`.
    """
    return text.encode("utf-8", "backslashreplace").decode()
