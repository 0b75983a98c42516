"""The campaign a command line names: its file found, loaded, and named again in what is shown."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from bulkmail.campaign.find import find_campaign
from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError


def open_campaign(text: str) -> Campaign:
    """Find and load a campaign. Raises `ConfigurationError`."""
    return Campaign.load(find_campaign(text, Path.cwd()))


async def open_whole(text: str, environ: Mapping[str, str] | None = None) -> Campaign:
    """Find and load a campaign. Raises `ConfigurationError` with what else is wrong as well.

    That is its templates, files and rows; and with `environ` its servers.
    """
    path = find_campaign(text, Path.cwd())
    try:
        return Campaign.load(path)
    except ConfigurationError as error:
        from bulkmail.app.check.checking import all_that_is_wrong

        raise await all_that_is_wrong(path, error, environ) from error


def again(text: str, ledger: Path | None) -> str:
    """What the user typed to name the campaign and its ledger, quoted for the next command."""
    words = [text] if ledger is None else [text, "--ledger", str(ledger)]
    return shlex.join(words)
