"""What a campaign's messages are made of, as one digest: what was checked is what is sent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from bulkmail.campaign.load import Campaign

#: Changes when the same inputs come to other bytes.
_VERSION = "bulkmail message 3"
#: The keys that a message is made of.
_KEYS = {
    "from_",
    "reply_to",
    "return_path",
    "to",
    "cc",
    "bcc",
    "subject",
    "text",
    "html",
    "body",
    "css",
    "attachments",
    "inline",
    "headers",
    "skip_if",
    "language",
}


def fingerprint(
    campaign: Campaign,
    templates: Iterable[tuple[Path, str]],
    shared: Iterable[Path],
) -> str:
    """SHA-256, in hex, over the campaign's keys, its templates' sources and its shared files.

    The campaign's name is not in it, nor is where the project lies: both may become others.

    Each row's own files are not in it: they are looked at when the row's message is made. A file
    that has vanished counts as such; nothing is raised.
    """
    model = campaign.model
    facts = [
        _VERSION,
        model.schedule.timezone,
        {key: getattr(model, key) for key in _KEYS},
        model.unsubscribe and [model.unsubscribe.url, model.unsubscribe.mailto],
        sorted((_named(path, campaign), source) for path, source in templates),
        sorted((_named(path, campaign), _digest(path)) for path in set(shared)),
    ]
    # A model in it is its keys. (`model_dump` would first build a serializer of all that may stand
    # in a campaign.)
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, default=dict)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digests(
    campaign: Campaign, templates: Iterable[tuple[Path, str]], shared: Iterable[Path]
) -> dict[str, str]:
    """Every template and every shared file to its SHA-256 in hex.

    Files are named from the project root where they lie below it; nothing is raised.
    """
    found = {
        _named(path, campaign): hashlib.sha256(source.encode(errors="replace")).hexdigest()
        for path, source in templates
    }
    return found | {_named(path, campaign): _digest(path) for path in shared}


def _named(path: Path, campaign: Campaign) -> str:
    """From the project root, where it lies below that."""
    return os.fspath(path).removeprefix(os.path.join(campaign.root, ""))  # noqa: PTH118  # with its separator


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
