"""How a run of several processes ended, from how each of them did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkmail.delivery.ending import Ending, RunResult

#: Whose word counts before all others'. Who waits has a server that will work.
_FIRST = (Ending.INTERRUPTED, Ending.CANCELLED, Ending.WAITING)


def combined(results: Sequence[RunResult], *, is_anybody_left: bool) -> RunResult:
    """The run's result; `is_anybody_left`: somebody is still to be tried, now or later.

    A child whose servers are out of use leaves its share to the others: that no server would work
    is said only where somebody was left by it.
    """
    for ending in _FIRST:
        if mine := [result for result in results if result.ending is ending]:
            return min(mine, key=lambda result: result.until or 0.0)
    without = [result for result in results if result.ending is Ending.NO_SERVER]
    if without and is_anybody_left:
        return RunResult(
            ending=Ending.NO_SERVER,
            sentence=_lines(result.sentence for result in without),
            hint=_lines(result.hint for result in without),
        )
    if any(result.ending is Ending.LIMIT for result in results):
        return RunResult(ending=Ending.LIMIT)
    return RunResult(ending=Ending.DONE)


def _lines(texts: Iterable[str]) -> str:
    """Each line once, whoever says it."""
    return "\n".join(dict.fromkeys(line for text in texts for line in text.splitlines()))
