"""How often a campaign is due: a cron expression, or a length of time."""

from __future__ import annotations

from bulkmail.campaign.units import parse_duration
from bulkmail.clock import moment
from bulkmail.value_class import value_class

_FIELDS = 5
_WORDS = (
    "must be a cron expression of five fields, such as `0 9 * * mon`, or a length of time, "
    "such as `10m`"
)


@value_class
class Every:
    """What is written, and what it is; one of the two is None."""

    cron: str | None = None
    #: Whole seconds.
    seconds: int | None = None

    def __str__(self) -> str:
        return self.cron or f"{self.seconds}s"


def parse_every(value: str | float) -> Every:
    """What is written so. Raises `ValueError` with a sentence."""
    text = str(value).strip()
    fields = text.split()
    if len(fields) == 1 and fields[0][:1].isdigit():
        return _interval(text)
    if len(fields) != _FIELDS:
        raise ValueError(_WORDS)
    # Not for those without a schedule: it is slow to import.
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        # The instant is of no account: looking for the first one finds days that never come.
        next(CronSim(text, moment(0)))
    except CronSimError as error:
        raise ValueError(f"{_WORDS} ({error})") from error
    except StopIteration:
        raise ValueError(f"`{text}` never comes: no month has such a day") from None
    return Every(cron=" ".join(fields))


def _interval(text: str) -> Every:
    seconds = parse_duration(text)
    if seconds < 1 or seconds != int(seconds):
        raise ValueError(f"{text!r} is too fine: whole seconds, 1s at least")
    return Every(seconds=int(seconds))
