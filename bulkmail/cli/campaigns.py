"""The campaign a command line names: its file found, loaded, and named again in what is shown."""

from __future__ import annotations

import shlex
from pathlib import Path

from bulkmail.campaign.find import find_campaign
from bulkmail.campaign.load import Campaign


def open_campaign(text: str) -> Campaign:
    """Find and load a campaign. Raises `ConfigurationError`."""
    return Campaign.load(find_campaign(text, Path.cwd()))


def again(text: str, ledger: Path | None) -> str:
    """What the user typed to name the campaign and its ledger, quoted for the next command."""
    words = [text] if ledger is None else [text, "--ledger", str(ledger)]
    return shlex.join(words)
