"""The recipients of a campaign: opened, understood, and streamed row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.recipients import RecipientsModel
from bulkmail.campaign.recipients.address_kind import AddressKind, address_kind, named_column
from bulkmail.campaign.recipients.columns import unknown_column
from bulkmail.campaign.recipients.row import Row
from bulkmail.campaign.recipients.source import (
    SUFFIXES,
    FileSource,
    InlineSource,
    LongInlineSource,
    Reader,
    Source,
)
from bulkmail.campaign.recipients.understand import FaultMaker, Understanding
from bulkmail.campaign.text_file import displayed, is_utf8_after_all, text_encoding
from bulkmail.errors import ConfigurationError, Fault, NobodyToSendTo
from bulkmail.value_class import value_class

if TYPE_CHECKING:
    from bulkmail.campaign.recipients.fetch import Fetched

_LOC: Loc = ("recipients",)
#: The options that decide what a row is, wherever it comes from.
_READ_WITH = {"encoding", "email", "key", "sheet", "format"}


@value_class
class RecipientList:
    """A list whose source is there and whose header makes sense. Its rows may still be bad."""

    #: The columns, where a header names them up front; else empty.
    columns: tuple[str, ...]
    #: The column of the address; None where each row has its own.
    email_column: str | None
    #: The column that tells rows apart; None is the address.
    key_column: str | None
    #: What a user should know before it is read; "" for nothing.
    notice: str
    _source: Source = field(repr=False)
    _understanding: Understanding = field(repr=False)
    _options: RecipientsModel = field(repr=False)

    def sha256(self) -> str:
        """A digest of the source and of the options it is read with, in hexadecimal."""
        options = {name: getattr(self._options, name) for name in _READ_WITH}
        zone = self._understanding.zone_column
        kind = self._understanding.kind.facts(self._understanding.email_column)
        facts = [self._source.digest(), options, *([] if zone is None else [zone]), *kind]
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def rows(self) -> Iterator[Row]:
        """All rows, the bad ones too, from the beginning; a new pass with each call.

        Memory does not grow with their number (but for .xlsx and .json). Raises
        `ConfigurationError` where the file cannot be read on: what was read so far is no list.
        """
        row = self._understanding.row
        for number, record in enumerate(self._source.open().records(), 1):
            yield row(number, record)


def open_recipients(campaign: Campaign, came: Fetched | None = None) -> RecipientList:
    """The campaign's list. Raises `ConfigurationError` when no row of it can be had.

    `came` is what was fetched (`fetched`), where the list is one that has to be.

    The file is missing or of no known kind, its encoding or header is wrong, a column that is
    asked for is not there, or there is nobody in it.
    """
    options = campaign.model.recipients
    source: Source
    if came is not None:
        source, name, fault = came, came.shown, _fault_of_fetched(came)
    elif options.path is None:
        source, name, fault = _inline(campaign, options)
    else:
        source, name, fault = _file(campaign, options.path, options)
    reader = source.open()
    kind = address_kind(campaign)
    email_column = _email_column(campaign, kind, reader, name)
    _check_key_column(campaign, options, reader)
    zone_column = campaign.model.schedule.recipient_timezone
    if zone_column is not None and reader.columns:
        _check_column(campaign, ("schedule", "recipient_timezone"), zone_column, reader.columns)
    if campaign.model.language is not None and reader.columns:
        _check_column(campaign, ("language",), campaign.model.language, reader.columns)
    if next(reader.records(), None) is None:
        empty = "is empty: there is nobody to send to"
        raise NobodyToSendTo(
            Fault(path=name, message=empty) if came is None else came.fault(f"{name} {empty}")
        )
    return RecipientList(
        columns=reader.columns,
        email_column=email_column,
        key_column=options.key,
        notice=source.notice,
        _source=source,
        _understanding=Understanding(fault, email_column, options.key, zone_column, kind),
        _options=options,
    )


def _fault_of_fetched(came: Fetched) -> FaultMaker:
    """A fault at the campaign's key: the row's number is what can be looked up where it is from."""

    def fault(number: int, _line: int, message: str, address: str | None) -> Fault:
        return replace(came.fault(message), row=number or None, address=address)

    return fault


def _inline(campaign: Campaign, options: RecipientsModel) -> tuple[Source, str, FaultMaker]:
    name = displayed(campaign.path)
    if campaign.long_list is not None:
        return LongInlineSource(campaign.path, campaign.long_list), name, _fault_in(name)

    def loc_of(index: int) -> Loc:
        long_form: Loc = (*_LOC, "rows", index)
        return long_form if campaign.has(long_form) else (*_LOC, index)

    def fault(number: int, _line: int, message: str, address: str | None) -> Fault:
        return campaign.fault(loc_of(number - 1), message, row=number, address=address)

    def line_of(index: int) -> int:
        return campaign.fault(loc_of(index), "").line or 0

    return InlineSource(options.rows or (), line_of), name, fault


def _fault_in(name: str) -> FaultMaker:
    """Faults in a file of that name, at their lines."""

    def fault(number: int, line: int, message: str, address: str | None) -> Fault:
        return Fault(
            path=name, line=line or None, message=message, row=number or None, address=address
        )

    return fault


def _file(
    campaign: Campaign, text: str, options: RecipientsModel
) -> tuple[Source, str, FaultMaker]:
    loc: Loc = (*_LOC, "path") if campaign.has((*_LOC, "path")) else _LOC
    path = campaign.resolve(text, loc=loc)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        kinds = ", ".join(SUFFIXES)
        message = f"`{path.name}` is of no kind that is read here: {kinds}"
        raise ConfigurationError(campaign.fault(loc, message))
    _check_options(campaign, options, suffix)
    name, fault = displayed(path), _fault_in(displayed(path))
    encoding = _encoding(campaign, options)
    if is_utf8_after_all(path, encoding):
        message = f"not {options.encoding}, but UTF-8: leave `encoding` out"
        raise ConfigurationError(fault(0, 1, message, None))
    return FileSource(path, encoding, options.sheet), name, fault


def _check_options(campaign: Campaign, options: RecipientsModel, suffix: str) -> None:
    """An option that the file's kind would ignore is an error."""
    odd = "encoding" if suffix == ".xlsx" else "sheet"
    if getattr(options, odd) is not None:
        raise ConfigurationError(campaign.fault((*_LOC, odd), f"a {suffix} file has no {odd}"))


def _encoding(campaign: Campaign, options: RecipientsModel) -> str:
    try:
        return text_encoding(options.encoding or "utf-8")
    except ValueError as error:
        raise ConfigurationError(campaign.fault((*_LOC, "encoding"), str(error))) from error


def _email_column(campaign: Campaign, kind: AddressKind, reader: Reader, name: str) -> str | None:
    named, loc = named_column(campaign)
    if not reader.columns:
        return named
    if named is not None:
        _check_column(campaign, loc, named, reader.columns)
        return named
    try:
        found = kind.find_column(reader.columns)
    except ValueError as error:
        raise ConfigurationError(_header_fault(name, reader, str(error))) from error
    if found is None:
        raise ConfigurationError(_header_fault(name, reader, kind.no_column(reader.columns)))
    return found


def _check_key_column(campaign: Campaign, options: RecipientsModel, reader: Reader) -> None:
    if options.key is not None and reader.columns:
        _check_column(campaign, (*_LOC, "key"), options.key, reader.columns)


def _check_column(campaign: Campaign, loc: Loc, name: str, columns: Sequence[str]) -> None:
    if name not in columns:
        raise ConfigurationError(campaign.fault(loc, unknown_column(name, columns)))


def _header_fault(name: str, reader: Reader, message: str) -> Fault:
    return Fault(path=name, line=reader.header_line or None, message=message)
