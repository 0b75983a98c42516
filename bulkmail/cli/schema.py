"""`bulkmail schema`: JSON Schema of the files a user writes."""

from __future__ import annotations

import enum
import json
from typing import Annotated

import typer

from bulkmail.cli.output import say


class Kind(enum.StrEnum):
    """The file that the schema describes."""

    CAMPAIGN = "campaign"
    PROJECT = "project"


def schema(
    kind: Annotated[
        Kind, typer.Argument(help="campaign: campaigns/NAME.yaml; project: bulkmail.yaml.")
    ],
) -> None:
    """Print the JSON Schema of a file.

    For an editor that completes and checks campaigns/NAME.yaml or bulkmail.yaml.

    Example: bulkmail schema campaign > campaign.schema.json
    """
    from bulkmail.campaign.schema import campaign_schema, project_schema

    value = campaign_schema() if kind is Kind.CAMPAIGN else project_schema()
    say(json.dumps(value, indent=2))
