"""How many messages a server refuses for good: a spam verdict would burn the whole list."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from bulkmail.settings import StopSettings

#: So many messages are looked at for the share that was refused.
REMEMBERED = 100


class Verdicts(Protocol):
    """Who counts a server's verdicts: this process, or the parent of several."""

    def accepted(self, times: int = 1) -> None:
        """It took a message, or so many in a row."""
        ...

    def refused(self, sentence: str) -> str:
        """It refused one for good, not for its recipient; why its use is to end, or ""."""
        ...


class Refusals:
    """Counts them for one server, in a row and of the last hundred."""

    def __init__(self, stop_after: StopSettings | None = None) -> None:
        self._stop_after = stop_after or StopSettings()
        self._in_a_row = 0
        #: Whether each of the last messages was refused for good.
        self._last: deque[bool] = deque(maxlen=REMEMBERED)

    def accepted(self, times: int = 1) -> None:
        """It took a message, or so many in a row."""
        self._in_a_row = 0
        self._last.extend([False] * min(times, REMEMBERED))

    def refused(self, sentence: str) -> str:
        """It refused one for good, not for its recipient; why its use is to end, or ""."""
        self._in_a_row += 1
        self._last.append(True)
        if self._in_a_row == self._stop_after.in_a_row:
            return (
                f"{self._in_a_row} messages in a row were refused (`stop_after`), "
                f"the last one: {sentence}"
            )
        if self._is_share_refused():
            return (
                f"{sum(self._last)} of the last {REMEMBERED} messages were refused "
                f"(`stop_after`), the last one: {sentence}"
            )
        return ""

    def _is_share_refused(self) -> bool:
        share = self._stop_after.share
        return (
            share is not None
            and len(self._last) == REMEMBERED
            and sum(self._last) >= share * REMEMBERED
        )
