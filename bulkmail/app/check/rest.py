"""What makes messages of a campaign without those templates and files that are at fault.

So that what is wrong with rows is told in the same go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bulkmail.app.channel import AnyComposer, composer_of
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.attachment import AttachmentModel
from bulkmail.errors import ConfigurationError, Fault


def composer_of_the_rest(campaign: Campaign, faults: Iterable[Fault]) -> AnyComposer | None:
    """One that makes as much of the messages as can be made; None: nothing can be.

    Attachments keep their numbers, so that faults name them as the file has them.
    """
    at_fault = {fault.key for fault in faults if fault.key}
    choices = _sound_files(campaign, at_fault), dict[str, Any](attachments=(), inline={})
    for files in choices:
        for without in ([], ["html"], ["text"]):
            model = campaign.model.model_copy(update={**files, **dict.fromkeys(without)})
            if model.text is None and model.html is None:
                continue
            with contextlib.suppress(ConfigurationError):
                return composer_of(replace(campaign, model=model))
    return None


def _sound_files(campaign: Campaign, at_fault: set[str]) -> dict[str, Any]:
    """`attachments` and `inline` without the entries that these keys name or stand in."""
    return {
        "attachments": tuple(
            # An entry with nothing in it holds the place and makes nothing.
            AttachmentModel.model_construct() if _names(at_fault, f"attachments[{i}]") else entry
            for i, entry in enumerate(campaign.model.attachments)
        ),
        "inline": {
            name: path
            for name, path in campaign.model.inline.items()
            if not _names(at_fault, f"inline.{name}")
        },
    }


def _names(keys: set[str], entry: str) -> bool:
    return any(key == entry or key.startswith(f"{entry}.") for key in keys)
