"""Where a campaign stands, for `bulkmail status`: as lines for a person, as JSON for a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bulkmail.clock import rfc3339
from bulkmail.fate import Halt, State
from bulkmail.report.terminal import visible
from bulkmail.report.wording import counted, local, number

if TYPE_CHECKING:
    from bulkmail.app.records import CampaignStatus, Reason

#: Reasons shown of one campaign: the rest is in `bulkmail report`.
_REASONS = 20


def standing_json(status: CampaignStatus) -> dict[str, Any]:
    """`campaign`, a key a state, `total`, `duplicates`; and why, and by which servers."""
    counts = status.counts
    return {
        "campaign": status.name,
        "total": counts.total,
        **{str(state): getattr(counts, state) for state in State},
        "duplicates": counts.duplicates,
        "updated_at": None if status.updated_at is None else rfc3339(status.updated_at),
        "halt": status.halt,
        "is_running": status.is_running,
        "reasons": [_reason_json(reason) for reason in status.reasons],
        "servers": [
            {"server": tally.server, "sent": tally.sent, "other": tally.other}
            for tally in status.servers
        ],
        "slowed": [
            {
                "scope": slow.scope,
                "per_second": round(slow.pace, 3),
                "full_per_second": round(slow.full, 3),
                "until": rfc3339(slow.until),
                "reason": slow.reason,
            }
            for slow in status.slowed
        ],
        "warming_up": [
            {
                "server": warming.server,
                "day": warming.day,
                "per_day": warming.quota,
                "until_per_day": warming.until,
                "grows_at": rfc3339(warming.grows_at),
            }
            for warming in status.warming
        ],
    }


def _reason_json(reason: Reason) -> dict[str, Any]:
    return {
        "state": str(reason.state),
        "count": reason.count,
        "code": reason.code,
        "enhanced_code": reason.enhanced_code,
        "reason": reason.reason,
        "sample": list(reason.sample),
    }


def standing_lines(status: CampaignStatus, *, with_details: bool) -> Iterator[str]:
    """The campaign in one line; with details, why rows are not sent, and what servers took."""
    counts = status.counts
    told = [
        f"{number(getattr(counts, state))} {str(state).replace('_', ' ')}"
        for state in State
        if getattr(counts, state)
    ]
    duplicates = (
        [f"{counted(counts.duplicates, 'duplicate row')} left out"] if counts.duplicates else []
    )
    moment = [] if status.updated_at is None else [local(status.updated_at)]
    halt = [str(status.halt)] if status.halt else []
    parts = [status.name, *halt, counted(counts.total, "recipient"), *told, *duplicates, *moment]
    yield visible("   ".join(parts))
    if with_details:
        yield from _reason_lines(status.reasons)
        for tally in status.servers:
            other = f", {number(tally.other)} other answers" if tally.other else ""
            yield f"  {visible(tally.server)}  {number(tally.sent)} accepted{other}"
        for slow in status.slowed:
            who = visible(slow.scope.removeprefix("domain:"))
            yield (
                f"  {who}  slowed down to {_pace(slow.pace)} of {_pace(slow.full)} "
                f"until {local(slow.until)}: {visible(slow.reason)}"
            )
        for warming in status.warming:
            yield (
                f"  {visible(warming.server)}  warming up, day {warming.day}: "
                f"{number(warming.quota)} a day until {local(warming.grows_at)}, "
                f"{number(warming.until)} a day in the end"
            )


def _pace(per_second: float) -> str:
    """Messages per second, or per minute where that is less than one."""
    if per_second >= 1:
        return f"{per_second:.3g}/s"
    return f"{per_second * 60:.3g}/min"


def _reason_lines(reasons: Sequence[Reason]) -> Iterator[str]:
    shown = reasons[:_REASONS]
    widest = max((len(str(reason.state)) for reason in shown), default=0)
    for reason in shown:
        codes = [str(code) for code in (reason.code, reason.enhanced_code) if code]
        # Most replies begin with their enhanced status code (RFC 2034).
        words = reason.reason.removeprefix(f"{reason.enhanced_code} ")
        what = " ".join([*codes, words]).strip()
        more = ", …" if reason.count > len(reason.sample) else ""
        who = ", ".join(reason.sample) + more if reason.sample else ""
        state = str(reason.state).replace("_", " ")
        yield visible(f"  {state:<{widest}}  {number(reason.count):>6}  {what}   {who}".rstrip())
    if len(reasons) > _REASONS:
        yield f"  … and {number(len(reasons) - _REASONS)} more reasons"


def next_commands(status: CampaignStatus, who: str) -> list[tuple[str, str]]:
    """What is worth typing next about this campaign: (label, command)."""
    counts = status.counts
    report = f"bulkmail report {who}"
    if status.halt is Halt.PAUSED:
        return [("Lift the pause", f"bulkmail resume {who}")]
    if status.is_running:
        return [("A run is under way. To hold it up", f"bulkmail pause {who}")]
    if counts.pending or counts.deferred or counts.sending:
        return [("Go on with", f"bulkmail send {who}")]
    if counts.failed:
        return [
            ("Who failed, and why", f"{report} --state failed"),
            ("Try them again", f"bulkmail retry {who}"),
        ]
    if counts.in_doubt:
        return [
            ("Who is in doubt", f"{report} --state in_doubt"),
            ("They have it", f"bulkmail resolve {who} --in-doubt sent"),
            ("Send it once more", f"bulkmail resolve {who} --in-doubt resend"),
        ]
    return [("Everybody, row by row", report)]
