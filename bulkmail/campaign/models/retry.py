"""When a deferred recipient is tried again, as it is written."""

from __future__ import annotations

from pydantic import Field

from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.values import Count, Duration, Durations, PositiveDuration


class RetryModel(StrictModel):
    """When a deferred recipient is tried again."""

    backoff: Durations = Field(
        (60.0,),
        description="The wait after the first try; it doubles with each, give or take some. "
        "Or a list `[1m, 5m, 5m, 1h]`, whose last value stays.",
    )
    max_backoff: Duration = Field(3600.0, description="The longest wait between two tries.")
    give_up_after: PositiveDuration = Field(
        172800.0, description="When to give up, counted from the row's first try."
    )
    attempts: Count | None = Field(
        None,
        description="Tries in all, counting those in which the server took MAIL and was given "
        "the recipient. Default: no limit.",
    )
