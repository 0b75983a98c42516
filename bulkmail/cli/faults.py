"""Faults on a terminal: each on its own line, then how many there are and what did not happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bulkmail.errors import Fault
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, number

#: Faults printed; a wrong template makes one for each row of a list, and nobody reads thousands.
SHOWN = 50


def fault_lines(faults: Sequence[Fault], closing: str = "") -> Iterator[str]:
    """The lines to print. A single fault that has no place needs no count."""
    for fault in faults[:SHOWN]:
        yield visible(str(fault))
    if len(faults) > SHOWN:
        more = number(len(faults) - SHOWN)
        yield f"… and {more} more (bulkmail check --json lists all)"
    if len(faults) > 1 or any(fault.path or fault.row for fault in faults):
        yield f"{_extent(faults)}. {closing}".rstrip()


def _extent(faults: Sequence[Fault]) -> str:
    """``4 faults in 2 files and 31 rows``."""
    files = len({fault.path for fault in faults if fault.path})
    rows = len({fault.row for fault in faults if fault.row})
    places = [counted(files, "file")] if files else []
    places += [counted(rows, "row")] if rows else []
    where = f" in {' and '.join(places)}" if places else ""
    return f"{counted(len(faults), 'fault')}{where}"


def fault_json(fault: Fault) -> dict[str, Any]:
    """A fault for `check --json`: every field, null where it is not known, and the line shown."""
    return {**asdict(fault), "text": str(fault)}
