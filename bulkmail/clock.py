"""Time, passed in. Nothing else in the package reads a clock or sleeps."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from time import time as _time
from typing import Protocol


class Clock(Protocol):
    """What the package knows of time."""

    def time(self) -> float:
        """Seconds since the epoch: for records, which outlive the process."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for intervals within the process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once when it is not positive."""
        ...


class SystemClock:
    """The machine's clock."""

    #: Seconds since the epoch.
    time = staticmethod(_time)
    #: Seconds that never go back.
    monotonic = staticmethod(monotonic)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        import asyncio  # noqa: PLC0415  # a third of `--help`: who sleeps has it already

        await asyncio.sleep(max(0.0, seconds))


def moment(epoch_seconds: float) -> datetime:
    """The aware UTC datetime of an epoch time."""
    return datetime.fromtimestamp(epoch_seconds, UTC)


def rfc3339(epoch_seconds: float) -> str:
    """An epoch time as files and JSON show it: ``2026-12-01T01:00:00Z``, whole seconds."""
    return moment(epoch_seconds).isoformat(timespec="seconds").replace("+00:00", "Z")
