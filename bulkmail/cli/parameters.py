"""Arguments and options that several commands share: the same name, help and check everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.errors import ConfigurationError, Fault

#: What the help calls a campaign.
CAMPAIGN = "CAMPAIGN"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def wrong_usage(sentence: str) -> ConfigurationError:
    """The command line is wrong: exit 2 and this sentence."""
    return ConfigurationError(Fault(message=sentence))


def ledger_path(text: str | None) -> Path | None:
    """The path `--ledger` gives. A database's URL is refused, with a sentence."""
    if text is None:
        return None
    if _URL.match(text):
        scheme = text.partition("://")[0]
        raise wrong_usage(
            f"--ledger takes the path of a file: a database ({scheme}://…) as the ledger comes"
            " with a later version."
        )
    if not text:
        raise wrong_usage("--ledger takes the path of a file, and it is empty.")
    return Path(text)


CampaignArgument = Annotated[
    str,
    typer.Argument(metavar=CAMPAIGN, help="A campaign's file, or its name in campaigns/."),
]

RecordArgument = Annotated[
    str,
    typer.Argument(metavar=CAMPAIGN, help="A campaign's file or name, or its name in the ledger."),
]

LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        help="The ledger's file. Default: .bulkmail/ledger.db at the project's root.",
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
