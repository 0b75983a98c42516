"""How the ledger names the occurrences of a schedule: ``NAME@20261201T010000Z``, in UTC.

A campaign's own name may not end so (rules.py), and each occurrence belongs to one series.
"""

from __future__ import annotations

import re

from bulkmail.clock import moment

_OCCURRENCE = re.compile(r"@[0-9]{8}T[0-9]{6}Z\Z")


def occurrence_name(series: str, due_at: float) -> str:
    """The ledger's name of the occurrence that is due at that instant, epoch seconds."""
    return f"{series}@{moment(due_at):%Y%m%dT%H%M%SZ}"


def is_occurrence(name: str) -> bool:
    """Whether a ledger's name is one of an occurrence."""
    return _OCCURRENCE.search(name) is not None


def series_of(name: str) -> str:
    """The campaign that a ledger's name belongs to: itself, or the series of an occurrence."""
    return _OCCURRENCE.sub("", name)
