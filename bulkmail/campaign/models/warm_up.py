"""How a server's quota grows from day to day, as it is written."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.units import WarmUp
from bulkmail.campaign.values import DailyRate


class WarmUpModel(StrictModel):
    """A new account, or a new address, that is to send a little more each day."""

    start: DailyRate = Field(
        description="The quota of day one, which begins with its first message."
    )
    factor: Annotated[float, Field(ge=1, le=100)] = Field(
        1.5, description="What each further day's quota is multiplied with."
    )
    until: DailyRate = Field(description="The quota it grows to, and keeps.")

    @model_validator(mode="after")
    def _grows(self) -> WarmUpModel:
        if self.until.count < self.start.count:
            raise ValueError("`until` is less than `start`")
        return self

    @property
    def rate(self) -> WarmUp:
        """The quota."""
        return WarmUp(self.until.count, self.until.window, self.start.count, self.factor)
