"""Recipients from .csv and .tsv (RFC 4180): a header row, then a row a record, all cells text.

Quoting is strict: a quote that is never closed would swallow the rest of the list, so it ends the
reading with a fault instead. A cell of more than 4 million characters is taken for the same. Blank
lines are no rows. What spreadsheets leave at the end is nothing: lines of empty cells behind the
last row, columns without a name and with nothing in them behind the last one that has a name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from bulkmail.campaign.recipients.columns import column_name, header_problems
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.text_file import displayed, text_lines
from bulkmail.errors import ConfigurationError, Fault

#: Characters in a cell: more than any letter has, less than a list that a quote swallows.
_LONGEST_CELL = 4_000_000


class DelimitedReader:
    """One pass over one file. Raises `ConfigurationError` when its header row is of no use."""

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        self._path = path
        self._is_csv = delimiter == ","
        self._bad_lines: dict[int, str] = {}
        # The module's own bound (131,072 characters) is one for the whole process.
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
        self._records = csv.reader(self._lines(encoding), delimiter=delimiter, strict=True)
        self.columns, self.header_line = self._header()

    def records(self) -> Iterator[Record]:
        """The data rows. Raises `ConfigurationError` where the file cannot be read on."""
        columns, width = self.columns, self._width
        named = None if width == len(columns) else len(columns)
        hollow: list[int] = []
        while True:
            line = self._records.line_num + 1
            cells, problem = self._next(line)
            if cells is None:
                return
            is_sound = not problem and not self._bad_lines
            if is_sound and not any(cells):
                hollow += [line] if len(cells) > 1 else []
            elif is_sound and len(cells) == width and (named is None or _are_blank(cells[named:])):
                if hollow:
                    yield from self._rows_of_nothing(hollow)
                yield Record(line, dict(zip(columns, cells, strict=False)))
            elif problem or not _is_blank(cells):
                yield from self._rows_of_nothing(hollow)
                yield self._doubtful(line, cells, problem)

    def _rows_of_nothing(self, lines: list[int]) -> Iterator[Record]:
        """Lines of empty cells that another row stands behind: somebody may be missing there."""
        for line in lines:
            yield Record(line, dict.fromkeys(self.columns, ""))
        lines.clear()

    def _doubtful(self, line: int, cells: list[str], problem: str) -> Record:
        problems = [problem] if problem else []
        problems += [text for at, text in self._bad_lines.items() if at >= line]
        self._bad_lines.clear()
        named = len(self.columns)
        if not problem and len(cells) not in {named, self._width}:
            count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            hint = ": a comma in a cell needs quotes" if self._is_csv and len(cells) > named else ""
            problems.append(f"{count} where the header has {named} columns{hint}")
        elif not _are_blank(cells[named:]):
            problems.append("a cell beyond the last column that has a name")
        return Record(line, dict(zip(self.columns, cells, strict=False)), tuple(problems))

    def _header(self) -> tuple[tuple[str, ...], int]:
        while True:
            line = self._records.line_num + 1
            cells, problem = self._next(line)
            if cells is None:
                raise self._stopped(None, "the file is empty: a header row and a row a recipient")
            problems = [problem] if problem else list(self._bad_lines.values())
            if problems or not _is_blank(cells):
                break
        self._width = len(cells)
        columns = _without_nameless_end(tuple(map(column_name, cells)))
        problems = problems or header_problems(columns)
        if problems:
            raise ConfigurationError(*(self._fault(line, f"header: {text}") for text in problems))
        return columns, line

    def _next(self, line: int) -> tuple[list[str] | None, str]:
        """The next record's cells (None: the end), and what is wrong with its quoting."""
        try:
            return next(self._records), ""
        except StopIteration:
            return None, ""
        except csv.Error as error:
            sentence = str(error)
            if "unexpected end" in sentence or "field larger" in sentence:
                message = "a quote is opened and never closed, or a cell is far too long"
                raise self._stopped(line, message) from error
            return (
                [],
                "something stands behind a closing quote: a quote in a quoted cell is doubled",
            )

    def _lines(self, encoding: str) -> Iterator[str]:
        for line in text_lines(self._path, encoding):
            if line.problem:
                self._bad_lines[line.number] = line.problem
            yield line.text

    def _fault(self, line: int | None, message: str) -> Fault:
        return Fault(path=displayed(self._path), line=line, message=message)

    def _stopped(self, line: int | None, message: str) -> ConfigurationError:
        return ConfigurationError(self._fault(line, message))


def _is_blank(cells: list[str]) -> bool:
    """Whether the record is a line with nothing on it (not one of empty cells)."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _are_blank(cells: list[str]) -> bool:
    return not any(map(str.strip, cells))


def _without_nameless_end(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns to the last one that has a name; all, where none has."""
    named = len(columns)
    while named and not columns[named - 1]:
        named -= 1
    return columns[:named] or columns
