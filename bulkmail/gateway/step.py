"""The steps of a request to a gateway, as reports name them."""

from __future__ import annotations

import enum


class Step(enum.StrEnum):
    """Where a try ended."""

    #: Nothing was sent.
    CONNECT = "connect"
    #: The request was sent.
    ANSWER = "answer"
