"""Recipients from .xlsx: the first sheet, or a named one, with a header row.

Read by python-calamine (extra `xlsx`), the whole sheet at once. Numbers come back as floats: those
that are whole become integers. Dates and times become ISO 8601. Rows without a cell are no rows.
A cell that shows an error, or a formula that was never worked out, is a fault of its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.recipients.columns import column_name, header_problems
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.recipients.sheet_holes import NO_WORKBOOK, holes
from bulkmail.campaign.text_file import displayed, open_binary
from bulkmail.errors import ConfigurationError, Fault

#: Beyond it a float does not hold every whole number.
_LARGEST_EXACT = 2**53
#: What .xls files begin with, and workbooks that are encrypted.
_OLD = b"\xd0\xcf\x11\xe0"


class WorkbookReader:
    """One sheet. Raises `ConfigurationError` when it cannot be read, or has no header row."""

    def __init__(self, path: Path, sheet: str | None) -> None:
        self._path = path
        self._holes: dict[int, dict[int, str]] = {}
        self._rows = self._numbered_rows(sheet)
        self.header_line, cells = next(self._rows, (0, []))
        if not cells:
            raise self._refused("the sheet is empty: a header row and a row a recipient")
        while cells and cells[-1] == "":
            cells.pop()
        self.columns = tuple(column_name(str(cell)) for cell in cells)
        if problems := header_problems(self.columns):
            raise ConfigurationError(
                *(self._fault(f"header: {text}", self.header_line) for text in problems)
            )

    def records(self) -> Iterator[Record]:
        """The data rows."""
        width = len(self.columns)
        for line, cells in self._rows:
            beyond = any(cell != "" for cell in cells[width:])
            cells.extend([""] * (width - len(cells)))
            problems = ["cells beyond the last column of the header"] if beyond else []
            problems += self._hollow(line)
            if not problems and not any(cell != "" for cell in cells):
                continue  # what shows no value there is beside the list
            yield Record(line, dict(zip(self.columns, cells, strict=False)), tuple(problems))

    def _hollow(self, line: int) -> Iterator[str]:
        """A sentence for each cell of the row that should have a value and has none."""
        for column, sentence in self._holes.get(line, {}).items():
            if column < len(self.columns):
                yield f"`{self.columns[column]}` is {sentence}"

    def _numbered_rows(self, sheet: str | None) -> Iterator[tuple[int, list[Any]]]:
        """Rows that hold something, with their numbers in the sheet, from 1."""
        number = 0
        for number, cells in enumerate(self._sheet_rows(sheet), 1):
            if number in self._holes or any(cell != "" for cell in cells):
                yield number, [_json_value(cell) for cell in cells]
        # What read the sheet ended with the last value; rows of formulas may go on.
        for below in sorted(self._holes):
            if below > number:
                yield below, []

    def _sheet_rows(self, sheet: str | None) -> list[list[Any]]:
        self._refuse_other_kinds()
        try:
            import python_calamine  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise self._refused(
                "reading .xlsx needs an extra: pip install 'bulkmail[xlsx]'"
            ) from error
        try:
            workbook = python_calamine.CalamineWorkbook.from_path(str(self._path))
            names = workbook.sheet_names
            if sheet is not None and sheet not in names:
                raise self._refused(f"there is no sheet `{sheet}`. {did_you_mean(sheet, names)}")
            name = sheet if sheet is not None else names[0]
            found = workbook.get_sheet_by_name(name)
            rows: list[list[Any]] = found.to_python(skip_empty_area=False)
            self._holes = holes(self._path, name)
        except (python_calamine.CalamineError, IndexError, OSError, *NO_WORKBOOK) as error:
            raise self._refused(f"cannot be read as .xlsx: {error}") from error
        return rows

    def _refuse_other_kinds(self) -> None:
        with open_binary(self._path) as file:
            beginning = file.read(4)
        if beginning == _OLD:
            message = "an .xls file of old, or one with a password: save it as .xlsx, without one"
            raise self._refused(message)
        if not beginning.startswith(b"PK"):
            raise self._refused("this is no workbook (a CSV file needs the suffix .csv)")

    def _fault(self, message: str, line: int | None = None) -> Fault:
        return Fault(path=displayed(self._path), line=line, message=message)

    def _refused(self, message: str) -> ConfigurationError:
        return ConfigurationError(self._fault(message))


def _json_value(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= _LARGEST_EXACT:
        return int(cell)
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell
