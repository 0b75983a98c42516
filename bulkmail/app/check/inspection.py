"""What a pass over a list found out: faults, sizes, and who cannot or need not be sent to."""

from __future__ import annotations

from dataclasses import field

from bulkmail.app.check.linting import Linting
from bulkmail.app.check.overview import Overview
from bulkmail.app.faults import FaultList
from bulkmail.errors import Fault
from bulkmail.value_class import record_class


@record_class
class Inspection:
    """What a pass found out."""

    faults: FaultList = field(default_factory=FaultList)
    rows: int = 0
    overview: Overview = field(default_factory=Overview)
    linting: Linting = field(default_factory=Linting)
    #: Which of the rows' own files are not as an earlier check saw them, as a sentence.
    changed_files: str = ""
    #: Where a person checks: each part of the campaign and its digest, from before it was read.
    facts: dict[str, str] = field(default_factory=dict)
    #: What a user should know of the list; "" for nothing.
    notice: str = ""
    #: Where a person checks: why a `send` is refused but `--as-new`: it would mail everybody again.
    repeated: tuple[Fault, ...] = ()
    #: Rows that an earlier occurrence of the series holds (`only_new`).
    left_out: int = 0
    #: Ledger ids of rows that cannot be rendered, with the reason.
    unfit: list[tuple[int, str]] = field(default_factory=list)
    #: Ledger ids of rows for which `skip_if` holds, with the reason.
    skipped: list[tuple[int, str]] = field(default_factory=list)
