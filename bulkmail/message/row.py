"""One delivery while its message is made: what its templates see, and what is wrong with it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any

from bulkmail.address import control_character, printable
from bulkmail.errors import Fault
from bulkmail.fate import Delivery
from bulkmail.message.faults import RowFaults

#: Names that a column cannot take: such a column is reached as ``recipient["now"]``.
RESERVED = ("recipient", "campaign", "now")

#: Names that are there whatever the columns are.
ALWAYS = frozenset({"key", *RESERVED})

#: What JSON and YAML make of anything that is not one value.
_CHANGEABLE = {list, dict}


class Row:
    """A row's variables, and its faults as they are found."""

    __slots__ = (
        "_campaign",
        "_faults",
        "_own",
        "_variables",
        "columns",
        "delivery",
        "instant",
        "is_alone",
        "zone",
    )

    def __init__(
        self,
        delivery: Delivery,
        campaign: str,
        instant: datetime,
        zone: tzinfo | None,
        own: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`own` are variables that the campaign makes for this row (`unsubscribe_url`)."""
        self.delivery = delivery
        #: Aware: the moment its message is of.
        self.instant = instant
        #: The one that the message shows it in; None is the system's.
        self.zone = zone
        #: Whether nothing else is done meanwhile: its files are read without a hop to a thread.
        self.is_alone = False
        self._campaign, self._own = campaign, own
        #: What the names stand for that are not in `ALWAYS`: for most templates no more is wanted.
        self.columns = {**delivery.fields, **own} if own else delivery.fields
        self._variables: Mapping[str, Any] | None = None
        self._faults: list[Fault] = []

    @property
    def variables(self) -> Mapping[str, Any]:
        """Every column; then the reserved names, which go before a column of the same name."""
        if self._variables is None:
            self._variables = self._seen()
        return self._variables

    def _seen(self) -> dict[str, Any]:
        delivery = self.delivery
        fields = {**delivery.fields}
        if not _CHANGEABLE.isdisjoint(map(type, fields.values())):
            # A template can change a list; what it is rendered from must stay what it was.
            fields = copy.deepcopy(fields)
        return {
            "key": delivery.key,
            **fields,
            **self._own,
            "recipient": fields,
            "campaign": self._campaign,
            "now": self.instant.astimezone(self.zone),
        }

    def add(self, *faults: Fault) -> None:
        """Note what is wrong; the row and its address are put in."""
        for fault in faults:
            named = dataclasses.replace(
                fault, row=self.delivery.row, address=printable(self.delivery.address)
            )
            if named not in self._faults:
                self._faults.append(named)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was noted."""
        return not self._faults

    def raise_faults(self) -> None:
        """Raise `RowFaults` with all that was noted, if anything was."""
        if self._faults:
            raise RowFaults(*self._faults)

    def columns_with(self, character: str) -> str:
        """`` (from column `x`)`` for the columns whose text holds `character`; else nothing."""
        names = [
            f"`{name}`"
            for name, value in self.delivery.fields.items()
            if isinstance(value, str) and character in value
        ]
        return f", from the column {_listed(names)}" if names else ""

    def unsafe(self, text: str) -> str | None:
        """Why `text` cannot become a header, an address or a file name; None when it can."""
        if text.isprintable():
            return None
        what = control_character(text)
        if what is None:
            return None
        culprit = next(c for c in text if control_character(c))
        return f"{what}{self.columns_with(culprit)}"


def _listed(names: Iterable[str]) -> str:
    return " or ".join(names)
