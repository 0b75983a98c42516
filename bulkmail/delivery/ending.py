"""What a run may do, and how it ended."""

from __future__ import annotations

import enum

from bulkmail.value_class import value_class

PAUSED = "paused by `bulkmail pause`"
CANCELLED = "cancelled by `bulkmail cancel`"


class Ending(enum.Enum):
    """Why a run is over."""

    #: Nobody is left to be tried, now or later.
    DONE = "done"
    #: `limit` recipients were taken; the rest is pending.
    LIMIT = "limit"
    #: Something still waits, and waiting was not wanted.
    WAITING = "waiting"
    #: No server can be used.
    NO_SERVER = "no server"
    #: The campaign was cancelled: who was not sent to is suppressed.
    CANCELLED = "cancelled"
    #: Somebody asked for it.
    INTERRUPTED = "interrupted"


@value_class(kw_only=True)
class RunResult:
    """How a run ended."""

    ending: Ending
    #: Why, for a person; "" where there is nothing to say.
    sentence: str = ""
    #: What to do about it, where that is known.
    hint: str = ""
    #: Epoch seconds until which something waits.
    until: float | None = None


@value_class(kw_only=True)
class RunSettings:
    """What this run may do."""

    #: At most so many recipients; None is all.
    limit: int | None = None
    #: Whether to stay for what is due later, spent quotas and shut windows.
    is_waiting: bool = True
