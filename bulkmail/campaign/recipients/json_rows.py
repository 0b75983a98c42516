"""Recipients from .jsonl (an object a line) and .json (one list of objects).

JSON is read strictly: NaN and Infinity, a key twice in one object, and numbers of absurd length
are faults. Of a .jsonl file each line stands alone, so that a bad one is one bad row; a .json file
ends at its first error. It is read whole, and its rows are made one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from bulkmail.address import excerpt
from bulkmail.campaign.recipients.columns import column_name
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.text_file import displayed, text_chunks, text_lines
from bulkmail.errors import ConfigurationError, Fault

_SPACE = " \t\r\n"
#: What Python's decoder says; what that is to whoever wrote the file.
_PLAINLY = {
    "Expecting property name enclosed in double quotes": "a name in double quotes belongs there",
    "Expecting ',' delimiter": "a comma or the end is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting value": "a value belongs there; text has double quotes around it",
    "Extra data": "something stands behind the row",
    "Unterminated string starting at": "a quote is opened there and never closed",
    "Invalid control character at": "a line break, a tab or the like within quotes",
}


def json_line_records(path: Path, encoding: str) -> Iterator[Record]:
    """The rows of a .jsonl file; blank lines are none."""
    for line in text_lines(path, encoding):
        if line.problem:
            yield Record(line.number, {}, (line.problem,))
        elif line.text.strip():
            yield _parsed(line.number, line.text)


def json_list_records(path: Path, encoding: str) -> Iterator[Record]:
    """The rows of a .json file. Raises `ConfigurationError` where it is no list, or no JSON."""
    text = "".join(text_chunks(path, encoding))
    position = _skip_space(text, 0)
    if text[position : position + 1] != "[":
        raise _stopped(
            path, text, position, "not a list of recipients: it begins with [ and ends with ]"
        )
    position, line, counted = _skip_space(text, position + 1), 1, 0
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        record, position = _element(path, text, position, line)
        yield record
        position = _next_element(path, text, position)
    if rest := text[position + 1 :].strip():
        raise _stopped(path, text, len(text) - len(rest), "something stands behind the list")


def _parsed(line: int, text: str) -> Record:
    try:
        return as_record(line, _DECODER.decode(text))
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("["):
            return Record(line, {}, ("a list, where each row has a line: its suffix is .json",))
        return Record(line, {}, (f"not JSON: {_in_words(error)}, column {error.colno}",))
    except RecursionError:
        return Record(line, {}, ("nested too deeply",))
    except ValueError as error:
        return Record(line, {}, (str(error),))


def _element(path: Path, text: str, position: int, line: int) -> tuple[Record, int]:
    try:
        value, end = _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise _stopped(path, text, error.pos, f"not JSON: {_in_words(error)}") from error
    except RecursionError as error:
        raise _stopped(path, text, position, "nested too deeply") from error
    except ValueError as error:
        raise _stopped(path, text, position, str(error)) from error
    return as_record(line, value), end


def _next_element(path: Path, text: str, position: int) -> int:
    """Where the next element begins, or the list's end is."""
    position = _skip_space(text, position)
    match text[position : position + 1]:
        case ",":
            position = _skip_space(text, position + 1)
            if text[position : position + 1] == "]":
                raise _stopped(path, text, position, "not JSON: a comma before the list's end")
            return position
        case "]":
            return position
    raise _stopped(path, text, position, "not JSON: a comma or ] is missing")


def as_record(line: int, value: Any) -> Record:
    """A row of JSON values; one that is no object is a bad row."""
    if not isinstance(value, dict):
        is_address = isinstance(value, str) and "@" in value
        such = f", such as email: {excerpt(value)}" if is_address else ""
        return Record(line, {}, (f"not a mapping of columns to values{such}",))
    return Record(line, {column_name(name): cell for name, cell in value.items()})


def _in_words(error: json.JSONDecodeError) -> str:
    return _PLAINLY.get(error.msg, error.msg)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _stopped(path: Path, text: str, position: int, message: str) -> ConfigurationError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return ConfigurationError(
        Fault(path=displayed(path), line=line, column=column, message=message)
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"`{twice}` is written twice in one object")
    return made


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _whole(text: str) -> int:
    if len(text) > 100:  # noqa: PLR2004  # far beyond any number that is one
        raise ValueError("a number of more than 100 digits: put it in quotes")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("a number beyond all bounds: put it in quotes")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_refuse_constant,
    parse_int=_whole,
    parse_float=_fraction,
)
