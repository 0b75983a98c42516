"""The table that every measurement ends in: what, what is wanted of it, what it came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table."""

    what: str
    #: As printed: "≥ 15× (25)"; what would be better still is in brackets.
    wanted: str
    #: As printed: "16.70× (15.30 to 20.20)".
    value: str
    is_met: bool


def show(lines: Iterable[Measured]) -> bool:
    """Print them; whether all are met."""
    missed = 0
    print(f"{'what':<50}{'wanted (beyond)':>20}{'measured':>27}  met")
    for line in lines:
        missed += not line.is_met
        sign = "yes" if line.is_met else "NO"
        print(f"{line.what:<50}{line.wanted:>20}{line.value:>27}  {sign}", flush=True)
    return not missed
