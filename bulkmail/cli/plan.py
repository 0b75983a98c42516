"""`bulkmail plan`: how long a campaign will take."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkmail.cli.output import say, say_json
from bulkmail.cli.parameters import CampaignArgument, JsonOption, LedgerOption, ledger_path
from bulkmail.cli.running import run
from bulkmail.clock import rfc3339
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, local, number, span

if TYPE_CHECKING:
    from bulkmail.app.planning import Plan


def plan(
    campaign: CampaignArgument, *, ledger: LedgerOption = None, json: JsonOption = False
) -> None:
    """Foresee how long a campaign will take, within its limits.

    For how many, by which servers, and when it will be done, within limits, quotas and windows: of
    its next occurrence, or from now on. Says so where it cannot be done before `until`. Refusals
    and retries are not foreseen. Nothing is sent, and nobody connected to.

    Example: bulkmail plan newsletter
    """
    found = run(_plan(campaign, ledger_path(ledger)))
    if json:
        say_json(_json(found))
        return
    for line in _lines(found):
        say(visible(line))


async def _plan(text: str, ledger: Path | None) -> Plan:
    from bulkmail.app import planning
    from bulkmail.cli.campaigns import open_whole

    campaign = await open_whole(text, os.environ)
    return await planning.plan(campaign, os.environ, ledger)


def _lines(plan: Plan) -> Iterator[str]:
    estimate = plan.estimate
    when = "from now on" if plan.due_at is None else f"due {local(plan.due_at)}"
    yield f"{plan.campaign}   {counted(plan.count, 'recipient')}   {when}"
    for name, count in estimate.by_outlet.items():
        yield f"  {name}  {number(count)}"
    if plan.slowest_domains is not None:
        yield f"  {plan.slowest_domains} takes longest: the limit of these domains"
    if estimate.shut_seconds:
        yield f"  {span(estimate.shut_seconds)} with the window shut"
    if estimate.spent_seconds:
        yield f"  {span(estimate.spent_seconds)} with all quotas spent"
    yield from _reservations(plan)
    if math.isinf(estimate.ends_at):
        yield "It is never done like this."
    else:
        took = span(estimate.ends_at - estimate.begins_at)
        yield f"Begins {local(estimate.begins_at)}, done {local(estimate.ends_at)}: {took}."
    if estimate.left_at_until and plan.until is not None:
        late = counted(estimate.left_at_until, "recipient")
        yield f"It cannot be done before `until`, {local(plan.until)}: {late} would be too late."


def _reservations(plan: Plan) -> Iterator[str]:
    if plan.is_guessed:
        yield "  a server without a pace is taken for 4 messages a second and connection"
    if plan.by_reader:
        yield "  the readers' own windows are not foreseen: it ends later"
    if plan.warms_up:
        yield "  a server that warms up is taken for as quick as it will be"


def _json(plan: Plan) -> dict[str, Any]:
    estimate = plan.estimate
    is_done = not math.isinf(estimate.ends_at)
    return {
        "campaign": plan.campaign,
        "recipients": plan.count,
        "due_at": None if plan.due_at is None else rfc3339(plan.due_at),
        "begins_at": rfc3339(estimate.begins_at),
        "ends_at": rfc3339(estimate.ends_at) if is_done else None,
        "seconds": round(estimate.ends_at - estimate.begins_at, 1) if is_done else None,
        "servers": estimate.by_outlet,
        "slowest_domains": plan.slowest_domains,
        "window_shut_seconds": round(estimate.shut_seconds, 1),
        "quota_spent_seconds": round(estimate.spent_seconds, 1) if is_done else None,
        "until": None if plan.until is None else rfc3339(plan.until),
        "too_late": estimate.left_at_until,
        "is_guessed": plan.is_guessed,
        "by_reader": plan.by_reader,
        "warms_up": plan.warms_up,
    }
