"""The report as a table: CSV for spreadsheets, JSON lines for programs.

A spreadsheet runs a cell that begins with ``= + - @`` as a formula, and replies, addresses and
keys are other people's text. In CSV such a cell gets an apostrophe in front, so that it is text;
a plain number (``+8613800138000``) is no formula and stays as it is. JSON is exact.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: The contract's keys, in the order of the columns; what else a row has comes behind them.
KEYS = (
    "row",
    "email",
    "key",
    "state",
    "reason",
    "attempts",
    "server",
    "stage",
    "code",
    "enhanced_code",
    "reply",
    "refused_recipients",
    "message_id",
    "gateway_id",
    "updated_at",
    "attachments",
    "message_sha256",
)

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d .]+")


def json_line(row: Mapping[str, Any]) -> str:
    """One row as one line of JSON, the contract's keys always there."""
    return json.dumps({**dict.fromkeys(KEYS), **row}, ensure_ascii=False)


class CsvWriter:
    """Rows as lines of CSV. The columns are fixed by the first row."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()

    def header(self, row: Mapping[str, Any] | None = None) -> str:
        """The line of column names: the contract's keys and what else `row` has."""
        self._columns = (*KEYS, *(name for name in row or () if name not in KEYS))
        return _line(self._columns)

    def line(self, row: Mapping[str, Any]) -> str:
        """One row, after the header."""
        return _line(_cell(row.get(name)) for name in self._columns)


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Mapping() | list() | tuple():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case str() if _FORMULA.match(value) and not _NUMBER.fullmatch(value):
            return f"'{value}"
        case _:
            return str(value)
