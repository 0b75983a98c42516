"""Where records come from: a file by its suffix, or the campaign itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from bulkmail.campaign.document import Loc
from bulkmail.campaign.recipients.columns import column_name
from bulkmail.campaign.recipients.delimited import DelimitedReader
from bulkmail.campaign.recipients.json_rows import as_record, json_line_records, json_list_records
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.streaming import StreamedItem, stream_items, stream_list
from bulkmail.campaign.text_file import open_binary
from bulkmail.value_class import value_class

#: Of the formats that are read whole, files above this are spoken of. 50 MB.
LARGE = 50_000_000


class Reader(Protocol):
    """One pass over a source."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The header's columns; empty where each record brings its own."""
        ...

    @property
    def header_line(self) -> int:
        """The header's line; 0 where there is none."""
        ...

    def records(self) -> Iterator[Record]:
        """The data rows. Raises `ConfigurationError` where it cannot be read on."""
        ...


class Source(Protocol):
    """A list of recipients that can be read again and again."""

    @property
    def notice(self) -> str:
        """What a user should know before it is read; "" for nothing."""
        ...

    def open(self) -> Reader:
        """A new pass. Raises `ConfigurationError` when there is no header to go by."""
        ...

    def digest(self) -> str:
        """SHA-256 of what it holds, in hexadecimal."""
        ...


@value_class
class _KeyedReader:
    """Records that bring their own columns."""

    make: Callable[[], Iterator[Record]]
    columns: tuple[str, ...] = ()
    header_line: int = 0

    def records(self) -> Iterator[Record]:
        return self.make()


@value_class
class FileSource:
    """A file; its suffix says how it is read."""

    path: Path
    #: A codec's name.
    encoding: str
    sheet: str | None = None

    @property
    def notice(self) -> str:
        """For a large file that is read whole."""
        size = self.path.stat().st_size
        if self.suffix not in {".json", ".xlsx"} or size <= LARGE:
            return ""
        return (
            f"{self.path.name} has {size // 1_000_000} MB and is read into memory as a whole; "
            f"a .csv or .jsonl would be streamed"
        )

    @property
    def suffix(self) -> str:
        """In lower case, with its dot."""
        return self.path.suffix.lower()

    def open(self) -> Reader:
        """A reader for the suffix."""
        path, encoding = self.path, self.encoding
        match self.suffix:
            case ".csv":
                return DelimitedReader(path, encoding, ",")
            case ".tsv":
                return DelimitedReader(path, encoding, "\t")
            case ".xlsx":
                from bulkmail.campaign.recipients.workbook import WorkbookReader  # noqa: PLC0415  # for few

                return WorkbookReader(path, self.sheet)
            case ".jsonl":
                return _KeyedReader(lambda: json_line_records(path, encoding))
            case ".json":
                return _KeyedReader(lambda: json_list_records(path, encoding))
            case ".yaml" | ".yml":
                return _KeyedReader(lambda: _records_of(stream_items(path, encoding)))
        raise AssertionError(f"no reader for {self.suffix}: see SUFFIXES")

    def digest(self) -> str:
        """Of the file's bytes."""
        return _file_digest(self.path)


#: What `FileSource` reads.
SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".yaml", ".yml", ".xlsx")


@value_class
class InlineSource:
    """Rows that stand in the campaign's file."""

    rows: tuple[dict[str, Any], ...]
    #: The line of a row, by its index.
    line_of: Callable[[int], int]
    notice: str = ""

    def open(self) -> Reader:
        """A reader of them."""
        return _KeyedReader(self._records)

    def digest(self) -> str:
        """Of the rows as canonical JSON."""
        text = json.dumps(self.rows, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _records(self) -> Iterator[Record]:
        for index, row in enumerate(self.rows):
            fields = {column_name(name): cell for name, cell in row.items()}
            yield Record(self.line_of(index), fields)


@value_class
class LongInlineSource:
    """Rows that stand in the campaign's file, too many to be held."""

    path: Path
    #: Where the list stands in it.
    loc: Loc
    notice: str = ""

    def open(self) -> Reader:
        """A reader of them."""
        return _KeyedReader(lambda: _records_of(stream_list(self.path, self.loc)))

    def digest(self) -> str:
        """Of the whole file's bytes: that is quicker than to look for the rows in it."""
        return _file_digest(self.path)


def _file_digest(path: Path) -> str:
    with open_binary(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _records_of(entries: Iterable[StreamedItem]) -> Iterator[Record]:
    for entry in entries:
        problems = tuple(fault.message for fault in entry.faults)
        record = as_record(entry.line, entry.value)
        yield Record(record.line, record.fields, record.problems + problems)
