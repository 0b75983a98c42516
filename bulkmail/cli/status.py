"""`bulkmail status`: where campaigns stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkmail.cli.output import say, say_json
from bulkmail.cli.parameters import JsonOption, LedgerOption, ledger_path, wrong_usage
from bulkmail.cli.running import run

if TYPE_CHECKING:
    from bulkmail.app.records import CampaignStatus


def status(
    campaign: Annotated[
        str | None,
        typer.Argument(
            metavar="CAMPAIGN",
            help="A campaign's file or name, or its name in the ledger. Default: all.",
        ),
    ] = None,
    *,
    ledger: LedgerOption = None,
    json: JsonOption = False,
) -> None:
    """Count by state, and say why some failed.

    Example: bulkmail status offer-letter
    """
    path = ledger_path(ledger)
    found = run(_status(campaign, path))
    if campaign is not None and not found:
        raise wrong_usage(f"`{campaign}` is not in the ledger: nothing was sent of it yet.")
    if json:
        from bulkmail.cli.standing import standing_json

        rows = [standing_json(one) for one in found]
        say_json(rows if campaign is None else rows[0])
    else:
        _show(found, campaign, path)


async def _status(campaign: str | None, ledger: Path | None) -> list[CampaignStatus]:
    from bulkmail.app import records

    return await records.status(Path.cwd(), campaign, ledger)


def _show(found: list[CampaignStatus], campaign: str | None, ledger: Path | None) -> None:
    from bulkmail.cli.campaigns import again
    from bulkmail.cli.standing import next_commands, standing_lines

    if not found:
        say("The ledger holds no campaign yet.")
    for one in found:
        for line in standing_lines(one, with_details=campaign is not None):
            say(line)
    if campaign is not None:
        commands = next_commands(found[0], again(campaign, ledger))
        width = max(len(label) for label, _ in commands) + 1
        for label, command in commands:
            say(f"{label + ':':<{width}}  {command}")
    elif found:
        say(f"More of one:  bulkmail status {again(found[0].name, ledger)}")
