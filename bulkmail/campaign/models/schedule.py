"""When a campaign is due and the hours it may go out in, as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from bulkmail.campaign.document import Loc
from bulkmail.campaign.every import Every, parse_every
from bulkmail.campaign.hours import Days, Hours, parse_days, parse_hours
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.values import FilledLine, Moment, PositiveDuration, TimeZone

_DATE_LENGTH = len("2026-12-01")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _hours(value: Any) -> Hours:
    if isinstance(value, Hours):
        return value
    return parse_hours(value if isinstance(value, str) else "")


def _days(value: Any) -> Days:
    if isinstance(value, Days):
        return value
    return parse_days(value if isinstance(value, str) else "")


def _every(value: Any) -> Every:
    if isinstance(value, Every):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return parse_every(value if isinstance(value, str) or is_number else "")


def _end(value: Any) -> datetime:
    """A moment; of a day without a time its end."""
    if isinstance(value, datetime):
        return value
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("must be a moment in ISO 8601, such as 2026-12-31T18:00") from error
    is_day = len(value) <= _DATE_LENGTH and found.time() == time()
    return found + timedelta(days=1) if is_day else found


def _kind(words: str, **schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"$comment": words} | schema)


def _one_or_more(words: str, pattern: str) -> WithJsonSchema:
    one = {"type": "string", "pattern": pattern}
    many = {"type": "array", "items": one, "minItems": 1}
    return _kind(f"{words}, or a list", anyOf=[one, many])


Windows = Annotated[
    tuple[Annotated[Hours, PlainValidator(_hours)], ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    _one_or_more("`HH:MM-HH:MM`", r"[0-2][0-9]:[0-5][0-9] ?- ?[0-2][0-9]:[0-5][0-9]\s*$"),
]
Blackout = Annotated[
    tuple[Annotated[Days, PlainValidator(_days)], ...],
    BeforeValidator(_listed),
    _one_or_more("a day, days", r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}(\.\.[0-9]{4}-[0-9]{2}-[0-9]{2})?"),
]
Recurrence = Annotated[
    Every,
    PlainValidator(_every),
    _kind(
        "a cron expression, or a duration",
        anyOf=[{"type": "string"}, {"type": "number", "minimum": 1}],
    ),
]
End = Annotated[datetime, PlainValidator(_end), _kind("ISO 8601", type="string")]


class ScheduleModel(StrictModel):
    """When the campaign is due, and the hours it may go out in."""

    at: Moment | None = Field(
        None, description="A moment in ISO 8601, in `timezone` unless it has an offset."
    )
    every: Recurrence | None = Field(
        None,
        description="A cron expression such as `*/10 * * * *`, or a length of time such as `10m` "
        "(counted from midnight of 1 January 1970 in `timezone`). Each occurrence is a campaign "
        "of its own in the ledger.",
    )
    timezone: TimeZone | None = Field(
        None,
        description="IANA time zone, also that of `now` and Date. Default: the system's.",
    )
    window: Windows = Field(
        (),
        description="Hours in which messages are sent: `09:00-18:00`, `mon-fri 09:00-18:00`, "
        "`22:00-06:00` over midnight, or a list of such. Also kept by `send`.",
    )
    blackout: Blackout = Field(
        (),
        description="Days on which nothing is sent: `2026-12-25`, `2027-02-06..2027-02-12`. Also "
        "kept by `send`.",
    )
    recipient_timezone: FilledLine | None = Field(
        None,
        description="The column that holds the reader's IANA time zone: `window` and `blackout` "
        "are counted in it. An empty cell stands for `timezone`.",
    )
    until: End | None = Field(
        None,
        description="When it is too late: nothing is due after it, and who was not sent to by "
        "then is suppressed. A day without a time is meant to its end.",
    )
    misfire: Literal["run", "skip"] = Field(
        "run",
        description="What becomes of a time that passed while nobody was there to send: it is run "
        "once, or skipped as too late.",
    )
    grace: PositiveDuration = Field(
        300.0, description="With `misfire: skip`: how late it may begin all the same."
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> ScheduleModel:
        at, end = self.at, self.until
        if at and end and (at.tzinfo is None) == (end.tzinfo is None) and end <= at:
            raise ValueError("`until` is not after `at`: it would be too late from the beginning")
        return self


def broken_schedule_rules(written: Any) -> Iterator[tuple[Loc, str]]:
    """What stands in a schedule that only makes sense beside something else."""
    if not isinstance(written, Mapping):
        return
    given = {key for key, value in written.items() if value is not None}
    if {"at", "every"} <= given:
        yield ("schedule", "every"), "stands beside `at`: it is one or the other"
    for key in ("until", "misfire"):
        if key in given and not given & {"at", "every"}:
            yield (
                ("schedule", key),
                "is for a campaign that is due: it needs `at` or `every`",
            )
    if "grace" in given and written.get("misfire") != "skip":
        yield ("schedule", "grace"), "is for `misfire: skip`: how late it may begin all the same"
    if "recipient_timezone" in given and not given & {"window", "blackout"}:
        yield ("schedule", "recipient_timezone"), "is for a `window`, which is counted in it"
