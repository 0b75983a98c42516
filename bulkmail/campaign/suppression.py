"""Suppression files: addresses that get nothing.

One address a line, with # comments; or a CSV (or .tsv) with a header row and an address column. A
file without an @ in its first line that says something is the second kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkmail.address import parse_address, printable
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients.columns import find_email_column, no_email_column
from bulkmail.campaign.recipients.delimited import DelimitedReader
from bulkmail.campaign.text_file import displayed, text_lines
from bulkmail.errors import ConfigurationError, Fault


def suppressed_addresses(campaign: Campaign) -> Iterator[str]:
    """The addresses of all the campaign's `suppress` files, in lower case.

    Raises `ConfigurationError`: for a missing file before the first address, for bad lines with
    all of one file's faults behind its good ones.
    """
    files = [
        campaign.resolve(text, loc=("suppress", index))
        for index, text in enumerate(campaign.model.suppress)
    ]
    for file in files:
        yield from read_suppressions(file)


def read_suppressions(path: Path) -> Iterator[str]:
    """The addresses of one file, in lower case. Raises `ConfigurationError` after the last."""
    faults: list[Fault] = []
    for line, text in _entries(path):
        try:
            parse_address(text)
        except ValueError as error:
            message = f"`{printable(text)}` is not an address: {error}"
            faults.append(Fault(path=displayed(path), line=line, message=message))
        else:
            yield text.lower()
    if faults:
        raise ConfigurationError(*faults)


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    """Each entry's line and its text."""
    if path.suffix.lower() in {".csv", ".tsv"} and not _is_plain_list(path):
        return _cells(path)
    return _lines(path)


def _is_plain_list(path: Path) -> bool:
    first = next(_lines(path), None)
    return first is None or "@" in first[1]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for line in text_lines(path):
        # An address may hold a number sign (RFC 5322, 3.2.3): only one behind a space ends it.
        text = "" if line.text.lstrip().startswith("#") else line.text.split(" #")[0].strip()
        if line.problem:
            raise ConfigurationError(
                Fault(path=displayed(path), line=line.number, message=line.problem)
            )
        if text:
            yield line.number, text


def _cells(path: Path) -> Iterator[tuple[int, str]]:
    reader = DelimitedReader(path, "utf-8-sig", "\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        column = find_email_column(reader.columns)
    except ValueError as error:
        raise _refused(path, reader.header_line, str(error)) from error
    if column is None:
        raise _refused(path, reader.header_line, no_email_column(reader.columns))
    for record in reader.records():
        if record.problems:
            raise _refused(path, record.line, "; ".join(record.problems))
        yield record.line, record.fields[column].strip()


def _refused(path: Path, line: int, message: str) -> ConfigurationError:
    return ConfigurationError(Fault(path=displayed(path), line=line, message=message))
