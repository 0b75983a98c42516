"""One row of a list, before and after it is understood."""

from __future__ import annotations

from typing import Any, NamedTuple

from bulkmail.errors import Fault


class Record(NamedTuple):
    """A row as a reader found it."""

    #: Physical line at which it begins; of a sheet, its row; 0 where it is not known.
    line: int
    fields: dict[str, Any]
    #: What is wrong with it as a piece of the file: sentences.
    problems: tuple[str, ...] = ()


class Row(NamedTuple):
    """One recipient as the list has it.

    A bad row is a row too: it carries its faults, as much of its address and key as there is, and
    fields in which what no text may hold (NUL, halves of characters) is spelt out.
    """

    #: From 1, the first data row.
    number: int
    #: Physical line in the file; 0 where it is not known.
    line: int
    #: Every column, by name; JSON values.
    fields: dict[str, Any]
    #: As written, without surrounding space; "" where there is none.
    address: str
    #: Its identity in the ledger, within the campaign; "" where there is none.
    key: str
    #: The address's domain as A-labels, which limits hang on; "" for a number, and in a bad row.
    domain: str = ""
    faults: tuple[Fault, ...] = ()
