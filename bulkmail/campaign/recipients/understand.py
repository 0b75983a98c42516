"""A record becomes a row: its address, its key, and everything that is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bulkmail.address import control_character, parse_mailboxes, printable
from bulkmail.campaign.recipients.address_kind import MAIL_ADDRESSES, AddressKind
from bulkmail.campaign.recipients.columns import unknown_column
from bulkmail.campaign.recipients.row import Record, Row
from bulkmail.campaign.values import known_zone
from bulkmail.errors import Fault
from bulkmail.value_class import value_class

_COPIES = ("cc", "bcc")
_MAX_DEPTH = 100
_SPACE = " \t\u3000\xa0"

#: Makes a fault of a row's number, its line, a sentence and the address where it is one.
FaultMaker = Callable[[int, int, str, str | None], Fault]


@value_class
class Understanding:
    """How a list's records are to be read."""

    fault: FaultMaker
    #: None: whichever column of the record is called as one.
    email_column: str | None
    #: None: the address in lower case.
    key_column: str | None
    #: The column of the reader's time zone; None: nobody asks.
    zone_column: str | None = None
    kind: AddressKind = MAIL_ADDRESSES

    def row(self, number: int, record: Record) -> Row:
        """The row, with its faults. A bad address still gives address and key, as far as it can."""
        fields = record.fields
        problems = list(record.problems)
        address = domain = key = address_problem = key_problem = ""
        if not problems or self.email_column in fields:
            address, address_problem = self._text(fields)
            if not address_problem:
                try:
                    address, domain = self.kind.checked(address)
                except ValueError as error:
                    address_problem = str(error)
            key, key_problem = self._key(fields, address)
        problems += filter(None, (address_problem, key_problem))
        if self.zone_column is not None and (problem := self._zone_problem(fields)):
            problems.append(problem)
        for column in _COPIES if self.kind.has_copies else ():
            if fields.get(column):
                problems += _copy_problems(column, fields[column])
        is_usable = _is_all_usable_text(fields)
        unusable = [] if is_usable else list(_text_problems(fields))
        if not problems and not unusable:
            return Row(number, record.line, fields, address, key, domain)
        known = None if address_problem else address or None
        faults = tuple(
            self.fault(number, record.line, text, known)
            for text in dict.fromkeys(problems + unusable)
        )
        if unusable:
            fields = {printable(name): _storable(cell) for name, cell in fields.items()}
        return Row(number, record.line, fields, printable(address), printable(key), faults=faults)

    def _text(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """The address as written, yet to be checked, and ""; or "", and why there is none."""
        column, what = self.email_column, self.kind.noun
        if column is None or column not in fields:
            try:
                column = self.kind.find_column(fields)
            except ValueError as error:
                return "", str(error)
        if column is None:
            if self.email_column is not None and fields:
                return "", f"no {what}: {unknown_column(self.email_column, list(fields))}"
            return "", f"no {what}: {self.kind.no_column(fields)}"
        cell = fields[column]
        if cell is None or cell == "":
            return "", f"no {what}: `{column}` is empty"
        text = self.kind.text_of(cell)
        if text is None:
            return "", f"no {what}: `{column}` holds {_kind(cell)}"
        text = text.strip(_SPACE)
        return text, "" if text else f"no {what}: `{column}` is empty"

    def _key(self, fields: Mapping[str, Any], address: str) -> tuple[str, str]:
        column = self.key_column
        if column is None:
            return address.lower(), ""
        if column not in fields:
            return "", f"no key: {unknown_column(column, list(fields))}"
        cell = fields[column]
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return "", f"no key: `{column}` is empty"
        if not isinstance(cell, str | int | float):
            return "", f"no key: `{column}` holds {_kind(cell)}"
        key = str(cell).strip()
        if unsafe := control_character(key):
            return key, f"the key in `{column}` holds {unsafe}"
        return key, ""

    def _zone_problem(self, fields: Mapping[str, Any]) -> str:
        """What is wrong with the reader's time zone; an empty cell is none."""
        cell = fields.get(self.zone_column or "")
        if cell is None or cell == "":
            return ""
        if not isinstance(cell, str):
            return f"`{self.zone_column}` holds {_kind(cell)}, and no IANA time zone"
        try:
            known_zone(cell.strip())
        except ValueError as error:
            return f"`{self.zone_column}`: {error}"
        return ""


def _copy_problems(column: str, cell: Any) -> Iterator[str]:
    """What is wrong with a cc or bcc: text with addresses in it, or a list of such texts."""
    for part in cell if isinstance(cell, list) else [cell]:
        if not isinstance(part, str):
            yield f"{column}: holds {_kind(part)}, where addresses belong"
            continue
        try:
            parse_mailboxes(part)
        except ValueError as error:
            yield f"{column}: {error}"


def _text_problems(fields: Mapping[str, Any]) -> Iterator[str]:
    """What no text may hold, whatever it is used for: NUL, and halves of characters."""
    for name, cell in fields.items():
        problem = _unusable(name, 0) or _unusable(cell, 0)
        if problem:
            yield f"column `{printable(name)}` {problem}"


def _is_all_usable_text(fields: Mapping[str, Any]) -> bool:
    """Whether every cell is text that can be used, which nearly all rows are: seen in one look."""
    try:
        text = "".join([*fields, *fields.values()])
    except TypeError:
        return False
    return "\0" not in text and _is_encodable(text)


def _unusable(cell: Any, depth: int) -> str:
    if isinstance(cell, str):
        if "\0" in cell:
            return "holds a NUL"
        return "" if _is_encodable(cell) else "holds half a character (a surrogate)"
    if depth > _MAX_DEPTH:
        return "is nested too deeply"
    parts: list[Any] = cell if isinstance(cell, list) else []
    if isinstance(cell, dict):
        parts = [*cell, *cell.values()]
    return next(filter(None, (_unusable(part, depth + 1) for part in parts)), "")


def _storable(cell: Any) -> Any:
    """A cell of a bad row as a ledger can keep it."""
    if isinstance(cell, str):
        return printable(cell) if _unusable(cell, 0) else cell
    return printable(json.dumps(cell)) if _unusable(cell, 0) else cell


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(cell: Any) -> str:
    match cell:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "text"
