"""What a campaign takes from bulkmail.yaml beside its defaults: keys at the top of that file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkmail.campaign.models.unsubscribe import with_unsubscribe


def with_shared(written: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign's keys, with `dkim` and `unsubscribe` of bulkmail.yaml where it has none."""
    merged = with_unsubscribe(written, shared.get("unsubscribe"))
    if merged.get("dkim") is None and shared.get("dkim") is not None:
        merged["dkim"] = shared["dkim"]
    return merged
