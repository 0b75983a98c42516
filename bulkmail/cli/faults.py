"""Faults on a terminal: each on its own line, then how many there are and what did not happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from bulkmail.errors import Fault
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, number

#: Faults printed: nobody reads thousands.
SHOWN = 50
#: The same fault of more rows than this is one line: a wrong template makes one for each row.
_EACH = 3
#: Rows numbered in such a line.
_NUMBERED = 10


def fault_lines(faults: Sequence[Fault], closing: str = "") -> Iterator[str]:
    """The lines to print. A single fault that has no place needs no count."""
    lines = _grouped(faults)
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        more = number(len(lines) - SHOWN)
        yield f"… and {more} more (bulkmail check --json lists all)"
    if len(faults) > 1 or any(fault.path or fault.row for fault in faults):
        yield f"{_extent(faults, len(lines))}. {closing}".rstrip()


def are_some_rows(faults: Sequence[Fault]) -> bool:
    """Whether only single rows are at fault, so that the others can be sent without them.

    What an option names, a folder that is full, is no row's fault, whichever met it first.
    """
    return all(
        len(alike) <= _EACH and alike[0].row and not (alike[0].key or "").startswith("--")
        for alike in _alike(faults)
    )


def _alike(faults: Sequence[Fault]) -> list[list[Fault]]:
    """Those together that differ in their rows alone."""
    groups: dict[Fault, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(replace(fault, row=None, address=None), []).append(fault)
    return list(groups.values())


def _grouped(faults: Sequence[Fault]) -> list[str]:
    lines: list[str] = []
    for alike in _alike(faults):
        if len(alike) > _EACH:
            lines.append(visible(f"{alike[0]}{_more_rows(alike[1:])}"))
        else:
            lines += [visible(str(fault)) for fault in alike]
    return lines


def _more_rows(others: Sequence[Fault]) -> str:
    """``, and 51 more rows: 2, 3, 4, …``."""
    numbers = ", ".join(str(fault.row) for fault in others[:_NUMBERED])
    rest = ", …" if len(others) > _NUMBERED else ""
    return f", and {number(len(others))} more rows: {numbers}{rest}"


def _extent(faults: Sequence[Fault], count: int) -> str:
    """``4 faults in 2 files and 31 rows``."""
    files = len({fault.path for fault in faults if fault.path})
    rows = len({fault.row for fault in faults if fault.row})
    places = [counted(files, "file")] if files else []
    places += [counted(rows, "row")] if rows else []
    where = f" in {' and '.join(places)}" if places else ""
    return f"{counted(count, 'fault')}{where}"


def fault_json(fault: Fault) -> dict[str, Any]:
    """A fault for `check --json`: every field, null where it is not known, and the line shown."""
    return {**asdict(fault), "text": str(fault)}
