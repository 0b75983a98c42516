"""The display that fits where progress goes: a bar on a terminal, lines elsewhere, or silence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol, Self, TextIO, cast

from bulkmail.clock import Clock, SystemClock
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.least_time import Limits
from bulkmail.report.lines import LineDisplay
from bulkmail.report.silence import Silence
from bulkmail.report.terminal import SteadyStream


class Display(Protocol):
    """Watches a run for as long as its context lasts. Calls are cheap and never raise."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *problem: object) -> None: ...

    def announce(self, sentence: str) -> None:
        """Say what is going to happen."""
        ...

    def checking(self, done: int, total: int | None) -> None:
        """Show how many rows are checked."""
        ...

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Show a run that starts, with `limit` recipients before it."""
        ...

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Show what one try came to."""
        ...

    def waiting(self, sentence: str, until: float | None) -> None:
        """Show what the run waits for; "" when it no longer does. `until` in epoch seconds."""
        ...

    def server_changed(self, server: str, sentence: str) -> None:
        """Show that a server became unusable, or usable again ("")."""
        ...

    def has_told(self, trouble: str) -> bool:
        """Whether these troubles of servers, one a line, are still to be read."""
        ...


def display(
    out: TextIO,
    *,
    quiet: bool = False,
    bar: bool = True,
    clock: Clock | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Display:
    """Choose the display for `out`.

    A bar needs a terminal that can redraw. NO_COLOR is rich's to respect: the bar stays, plain.
    """
    if quiet:
        return Silence()
    steady = cast("TextIO", SteadyStream(out))  # it has what a display uses of one
    if bar and steady.isatty() and environ.get("TERM") not in {"dumb", "unknown"}:
        from bulkmail.report.bar import BarDisplay  # noqa: PLC0415  # rich is a tenth of a second

        return BarDisplay(steady, clock or SystemClock())
    return LineDisplay(steady, clock or SystemClock())
