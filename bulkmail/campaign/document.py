"""A file's value, and where each part of it stands: so that a fault has a line and a column."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any

from bulkmail.campaign.text_file import displayed
from bulkmail.errors import Fault
from bulkmail.value_class import record_class, value_class

#: Where a value stands in its document: ``("servers", "primary", "port")``.
Loc = tuple[str | int, ...]


@value_class
class Place:
    """A line and a column, from 1."""

    line: int
    column: int


@record_class
class Document:
    """A file's value, its places, and what is wrong with it apart from its meaning."""

    path: Path
    value: Any = None
    places: dict[Loc, Place] = field(default_factory=dict)
    key_places: dict[Loc, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    #: Where a long list stands of which only the first items are in `value`; None: all is there.
    cut: Loc | None = None

    def has(self, loc: Loc) -> bool:
        """Whether a value stands there."""
        return loc in self.places

    def fault(self, loc: Loc, message: str, *, at_key: bool = False) -> Fault:
        """A fault at the value of `loc`, or at its key; failing that, at the nearest above."""
        place = self.key_places.get(loc) if at_key else None
        for end in range(len(loc), -1, -1):
            place = place or self.places.get(loc[:end])
        return Fault(
            path=displayed(self.path),
            line=place.line if place else None,
            column=place.column if place else None,
            key=dotted(loc) or None,
            message=message,
        )


def dotted(loc: Loc) -> str:
    """``servers.primary.port``, ``attachments[1].path``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
