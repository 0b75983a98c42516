"""Suppression files: addresses, and numbers, that get nothing.

One a line, with # comments; or a CSV (or .tsv) with a header row and a column of them. A file
without an @ or a number in its first line that says something is the second kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkmail.address import excerpt, parse_address, printable
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.phone import DEFAULT_REGION, is_number, parse_number
from bulkmail.campaign.recipients.address_kind import MAIL_ADDRESSES, Numbers
from bulkmail.campaign.recipients.delimited import DelimitedReader
from bulkmail.campaign.text_file import displayed, text_lines
from bulkmail.errors import ConfigurationError, Fault

_WORKBOOKS = {".xlsx", ".xls", ".ods"}
_NO_COLUMN = "no column is called email (or mail, address, mobile, …), and it is no address itself"
_NUMBERS = Numbers(DEFAULT_REGION)


def suppressed_addresses(campaign: Campaign) -> Iterator[str]:
    """The addresses of all the campaign's `suppress` files, in lower case, and the numbers.

    Raises `ConfigurationError`: for a missing file before the first address, for bad lines with
    all of one file's faults behind its good ones.
    """
    files: list[Path] = []
    missing: list[Fault] = []
    for index, text in enumerate(campaign.model.suppress):
        try:
            files.append(campaign.resolve(text, loc=("suppress", index)))
        except ConfigurationError as error:
            missing += error.faults
    if missing:
        raise ConfigurationError(*missing)
    region = DEFAULT_REGION if campaign.sms is None else campaign.sms.default_region
    for file in files:
        yield from read_suppressions(file, region)


def suppressible(text: str, region: str = DEFAULT_REGION) -> str:
    """An address in lower case, or a number in E.164, as the ledger's list holds it.

    Raises `ValueError` with a sentence where it is neither.
    """
    if is_number(text):
        try:
            return parse_number(text, region)
        except ValueError as error:
            raise ValueError(
                f"`{printable(text)}` is no address, nor a telephone number: {error}"
            ) from error
        except ConfigurationError as error:
            raise ValueError(
                f"`{excerpt(text)}` is not an address. Where it is a telephone number: "
                "pip install 'bulkmail[sms]'"
            ) from error
    try:
        parse_address(text)
    except ValueError as error:
        raise ValueError(f"`{excerpt(text)}` is not an address: {error}") from error
    return text.lower()


def read_suppressions(path: Path, region: str = DEFAULT_REGION) -> Iterator[str]:
    """One file's addresses in lower case, and numbers in E.164.

    Raises `ConfigurationError` after the last.
    """
    faults: list[Fault] = []
    for line, text in _entries(path):
        try:
            entry = suppressible(text, region)
        except ValueError as error:
            faults.append(Fault(path=displayed(path), line=line, message=str(error)))
        else:
            yield entry
    if faults:
        raise ConfigurationError(*faults)


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    """Each entry's line and its text."""
    if path.suffix.lower() in _WORKBOOKS:
        raise ConfigurationError(
            Fault(path=displayed(path), message="is no text: save the sheet as CSV, in UTF-8")
        )
    if path.suffix.lower() in {".csv", ".tsv"} and not _is_plain_list(path):
        return _cells(path)
    return _lines(path)


def _is_plain_list(path: Path) -> bool:
    first = next(_lines(path), None)
    return first is None or "@" in first[1] or is_number(first[1])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for line in text_lines(path):
        # An address may hold a number sign (RFC 5322, 3.2.3): only one behind a space ends it.
        text = "" if line.text.lstrip().startswith("#") else line.text.split(" #")[0].strip()
        if line.problem:
            raise ConfigurationError(
                Fault(path=displayed(path), line=line.number, message=_as_utf8(line.problem))
            )
        if text:
            yield line.number, text


def _cells(path: Path) -> Iterator[tuple[int, str]]:
    reader = DelimitedReader(path, "utf-8-sig", "\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        column = MAIL_ADDRESSES.find_column(reader.columns) or _NUMBERS.find_column(reader.columns)
    except ValueError as error:
        raise _refused(path, reader.header_line, str(error)) from error
    if column is None:
        raise _refused(path, reader.header_line, _NO_COLUMN)
    for record in reader.records():
        if record.problems:
            raise _refused(path, record.line, "; ".join(map(_as_utf8, record.problems)))
        yield record.line, record.fields[column].strip()


def _as_utf8(problem: str) -> str:
    """Where bytes are wrong: these files have no `encoding` to be given, but one they may have."""
    what, _, _ = problem.partition(": ")
    return f"{what}: save it as UTF-8" if what.startswith("bytes that are not") else problem


def _refused(path: Path, line: int, message: str) -> ConfigurationError:
    return ConfigurationError(Fault(path=displayed(path), line=line, message=message))
