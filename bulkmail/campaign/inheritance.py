"""What a campaign takes from bulkmail.yaml: its defaults, and keys at the top of that file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkmail.campaign.models.campaign import DefaultsModel
from bulkmail.campaign.models.unsubscribe import with_unsubscribe

#: Defaults that are put in key by key; a campaign's other keys replace the default as a whole.
_MERGED_KEYS = ("headers", "retry")


def with_defaults(written: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    """A campaign's keys, and those of the defaults that it does not have."""
    if not isinstance(defaults, dict):
        return dict(written)
    known = {key: value for key, value in defaults.items() if key in DefaultsModel.key_names()}
    merged = known | {
        key: value for key, value in written.items() if value is not None or key not in known
    }
    for key in _MERGED_KEYS:
        below, above = known.get(key), written.get(key)
        if isinstance(below, dict) and isinstance(above, dict):
            merged[key] = below | above
    return merged


def with_shared(written: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign's keys, with `dkim` and `unsubscribe` of bulkmail.yaml where it has none."""
    merged = with_unsubscribe(written, shared.get("unsubscribe"))
    if merged.get("dkim") is None and shared.get("dkim") is not None:
        merged["dkim"] = shared["dkim"]
    return merged
