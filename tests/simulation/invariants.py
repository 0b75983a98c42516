"""What holds after every story, whatever befell its runs."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulation.sender import Sender
from simulation.smtp_server import Taken
from simulation.story import CampaignPlan, address, copies, reverse_path
from simulation.world import Broken, HandedOver, World

from bulkmail.app.processes.sharing import share
from bulkmail.campaign.units import Rate
from bulkmail.delivery.ending import Ending
from bulkmail.errors import LedgerError
from bulkmail.fate import State

#: The invariant that a run raises nothing it should not.
NO_FAULT = "no fault of ours"

_FATES = """
SELECT c.name, d.key, d.state, d.reason, d.server, d.code, d.attempts, d.doubts, d.message_id,
    CASE WHEN d.cause IS NULL THEN d.due_at END, d.owner, d.row_number, d.refused_recipients
FROM delivery AS d JOIN campaign AS c ON c.id = d.campaign_id ORDER BY d.id
"""
#: Rows may wait at the end of these: no server would work, or waiting was not wanted.
_MAY_WAIT = frozenset({Ending.NO_SERVER, Ending.WAITING})
_REFUSED_FOR_GOOD = 500


@dataclass(frozen=True, slots=True)
class Fate:
    """A row as the ledger has it at the end."""

    campaign: str
    key: str
    state: State
    reason: str
    server: str | None
    code: int | None
    attempts: int
    doubts: int
    message_id: str
    #: None: it waits for nothing, or for a person.
    due_at: float | None
    owner: str | None
    row: int
    #: JSON: of cc and bcc, and why.
    refused: str | None


def fates(world: World) -> list[Fate]:
    """Every row of the ledger."""
    found = world.disk.connection.execute(_FATES).fetchall()
    return [Fate(name, key, State(state), *rest) for name, key, state, *rest in found]


def broken(world: World) -> Iterator[Broken]:
    """Every invariant that does not hold."""
    yield from world.broken
    yield from _faults_of_ours(world)
    rows = fates(world)
    taken: dict[str, list[Taken]] = defaultdict(list)
    for books in world.books:
        for message in books.taken:
            for recipient in message.recipients:
                taken[recipient].append(message)
    yield from _lost(world, rows)
    for fate in rows:
        yield from _unreasoned(fate)
        yield from _doubled(world, fate, taken[fate.key])
        yield from _at_odds(fate, taken[fate.key])
        yield from _copies(world, fate, taken)
    yield from _beyond_limits(world)
    yield from _crowded(world)
    yield from _hammered(world)
    yield from _rash(world)
    yield from _two_at_once(world)
    yield from _too_many_doubts(world)
    yield from _beyond_number(world)
    yield from _against_their_will(world, taken)


def _faults_of_ours(world: World) -> Iterator[Broken]:
    for sender in world.senders:
        task = sender.task
        if task is not None and task.done() and not task.cancelled():
            error = task.exception()
            # Of a run that was taken over in its pass over the list and who took over, one begins
            # the pass anew: that of the other is over, and it says so.
            is_one_of_two = world.is_fenced(sender) or sender.takes_over is not None
            is_fenced = isinstance(error, LedgerError) and is_one_of_two
            if error is not None and not is_fenced:
                yield Broken(NO_FAULT, f"{sender.process.name}: {error!r}")


def _lost(world: World, rows: list[Fate]) -> Iterator[Broken]:
    story = world.story
    for campaign in filter(None, (story.campaign, story.neighbour)):
        mine = [fate for fate in rows if fate.campaign == campaign.name]
        last = _last(world, campaign)
        if last is None or last.process.is_dead:
            continue
        if len(mine) != campaign.rows:
            yield Broken("nobody is lost", f"{len(mine)} of {campaign.rows} rows are in the ledger")
        for fate in mine:
            if fate.owner is not None or fate.state is State.SENDING:
                yield Broken("nobody is lost", f"{fate.key} is still {fate.state}, {fate.owner}")
            is_waiting = fate.state in (State.PENDING, State.DEFERRED) or fate.due_at is not None
            is_at_an_end = fate.state in (State.SENT, State.FAILED, State.SUPPRESSED)
            if is_waiting and not is_at_an_end and last.ending not in _MAY_WAIT:
                yield Broken("nobody is lost", f"{fate.key} is {fate.state} after {last.ending}")


def _last(world: World, campaign: CampaignPlan) -> Sender | None:
    """The run of a campaign that came last, and was let in."""
    mine = [s for s in world.senders if s.campaign is campaign and not s.was_busy]
    return mine[-1] if mine else None


def _unreasoned(fate: Fate) -> Iterator[Broken]:
    if fate.state is not State.FAILED:
        return
    is_refused = fate.code is not None and fate.code >= _REFUSED_FOR_GOOD
    if not (is_refused or fate.reason.startswith("given up")):
        yield Broken("who failed, failed for a reason", f"{fate.key}: {fate.reason}")


def _doubled(world: World, fate: Fate, taken: list[Taken]) -> Iterator[Broken]:
    campaign = world.campaign_of(fate.key)
    retry = campaign.retry
    if len(taken) > 1 + fate.doubts:
        servers = ", ".join(f"{message.server} at {message.at:.3f}" for message in taken)
        yield Broken("nobody twice without a doubt", f"{fate.key}, {fate.doubts} doubts: {servers}")
    if fate.doubts > (2 if retry.resend_on_doubt else 1):
        yield Broken("a doubt is resent once", f"{fate.key}: {fate.doubts} doubts")
    for message in taken:
        if message.message_id != fate.message_id:
            yield Broken("one Message-ID", f"{fate.key}: {message.message_id}")
        if not message.is_whole:
            yield Broken("no message is taken in part", f"{fate.key} by {message.server}")
        if message.reverse_path != (path := reverse_path(campaign, fate.row)):
            yield Broken(
                "each by its own reverse-path", f"{fate.key}: {message.reverse_path}, {path}"
            )
    if retry.attempts is not None and fate.attempts > retry.attempts:
        what = f"{fate.key}: {fate.attempts} of {retry.attempts}"
        yield Broken("no more attempts than wanted", what)


def _at_odds(fate: Fate, taken: list[Taken]) -> Iterator[Broken]:
    if fate.state is State.SENT and fate.server not in {message.server for message in taken}:
        yield Broken("who is sent was taken", f"{fate.key} by {fate.server}")
    # `sending` at the end is an error of its own, unless nobody came to take it over.
    known = (State.SENT, State.IN_DOUBT, State.SENDING)
    is_known = fate.state in known or fate.doubts
    if taken and not is_known:
        yield Broken("who was taken is sent, or in doubt", f"{fate.key} is {fate.state}")


def _copies(world: World, fate: Fate, taken: dict[str, list[Taken]]) -> Iterator[Broken]:
    """Cc and bcc: nobody without the row itself, nobody twice, nobody forgotten."""
    refused = json.loads(fate.refused or "{}")
    for copy in copies(world.campaign_of(fate.key), fate.row):
        if len(taken[copy]) > 1 + fate.doubts:
            yield Broken("nobody twice without a doubt", f"{copy}, {fate.doubts} doubts")
        if taken[copy] and not taken[fate.key]:
            yield Broken("no copy without the row itself", copy)
        if fate.state is State.SENT and not taken[copy] and copy not in refused:
            yield Broken("a copy that was refused is told", f"{copy} of {fate.key}")


def _beyond_limits(world: World) -> Iterator[Broken]:
    limits = [(a.name, a.rates, world.handed_over[a.name]) for a in world.story.settings]
    for limit in world.story.limits:
        theirs = [each for domain in limit.domains for each in world.to_domains[domain]]
        limits.append((limit.name, limit.rates, sorted(theirs, key=lambda each: each.at)))
    for name, rates, handed_over in limits:
        for rate in rates:
            if (at := _excess(handed_over, rate)) is not None:
                yield Broken("no limit is exceeded", f"{name}, {rate}, from {at:.3f}")


def _excess(handed_over: Sequence[HandedOver], rate: Rate) -> float | None:
    """Where a window of the rate's length begins that holds more than its count.

    By the sender's clock, and by the time that went by: where that clock was set back, what is the
    same time of day twice is not the same time.
    """
    within = rate.window - 1e-6
    later = itertools.islice(handed_over, rate.count, None)
    for place, (first, last) in enumerate(zip(handed_over, later, strict=False)):
        if last.at - first.at < within:
            near = [each for each in handed_over[place:] if each.at - first.at < within]
            clocks = sorted(each.by_clock for each in near)
            if any(b - a < within for a, b in zip(clocks, clocks[rate.count :], strict=False)):
                return first.at
    return None


def _crowded(world: World) -> Iterator[Broken]:
    """No domain is on more connections at once than its limit says, over a run's processes."""
    runs = {run for run, _ in world.busy}
    for run, limit in itertools.product(sorted(runs), world.story.limits):
        theirs = [busy for domain in limit.domains for busy in world.busy.get((run, domain), ())]
        if limit.connections is None:
            continue
        for busy in theirs:
            lines = {each.line for each in theirs if each.begin <= busy.begin < each.end}
            if len(lines) > limit.connections:
                what = f"{run}: {len(lines)} to {limit.name}, {limit.connections} at most"
                yield Broken("no domain has more connections than wanted", what)


def _hammered(world: World) -> Iterator[Broken]:
    # A child that is killed behind its refusal has told nobody.
    lost = Counter({s.process.name: s.family.lost for s in world.senders if s.family})
    for books in world.books:
        for (run, _), times in Counter(books.refused_logins).items():
            if times > 1 + lost[run]:
                yield Broken("a login is not hammered", f"{run} at {books.name}: {times} times")


def _rash(world: World) -> Iterator[Broken]:
    """Until a server has answered what stood before a QUIT, one connection alone says it ahead."""
    for books in world.books:
        for process in books.rash:
            yield Broken("one connection alone tries QUIT ahead", f"{process} at {books.name}")


def _two_at_once(world: World) -> Iterator[Broken]:
    for sender in world.senders:
        if sender.must_be_busy and not sender.was_busy and not sender.process.is_dead:
            yield Broken("one run at a time", sender.process.name)


def _too_many_doubts(world: World) -> Iterator[Broken]:
    """A crash leaves in doubt one row a connection, times the window where there is one."""
    most = _most_doubts(world, 1)
    for sender in world.senders:
        if sender.doubts_found > most:
            what = f"{sender.doubts_found} before {sender.process.name}, {most} at most"
            yield Broken("no more doubts than connections times the window", what)
        mine = _most_doubts(world, sender.plan.processes)
        if sender.doubts_by_death > mine:
            what = f"{sender.doubts_by_death} by a child of {sender.process.name}, {mine} at most"
            yield Broken("no more doubts than connections times the window", what)


def _most_doubts(world: World, of: int) -> int:
    """By the death of one of so many processes: that of the first, who has the largest share."""
    story = world.story
    return sum(
        share(settings.connections, 0, of) * (settings.window if temper.chunking else 1)
        for settings, temper in zip(story.settings, story.tempers, strict=True)
    )


def _beyond_number(world: World) -> Iterator[Broken]:
    """`--limit` counts whom servers took, and who was tried for good or for bad otherwise."""
    campaign = world.story.campaign
    rows = {address(campaign, number) for number in range(1, campaign.rows + 1)}
    for sender in world.senders:
        if sender.plan.limit is None:
            continue
        name = sender.process.name
        taken = {
            r for books in world.books for t in books.taken if t.by == name for r in t.recipients
        }
        tried = (taken & rows) | world.tried[name]
        if len(tried) > sender.plan.limit:
            yield Broken(
                "no more recipients than wanted", f"{name}: {len(tried)} of {sender.plan.limit}"
            )
        for child, given in (sender.family.given if sender.family else {}).items():
            if len(world.tried_by[child]) > given:
                what = f"{child}: {len(world.tried_by[child])} of {given}"
                yield Broken("no child tries more than its share", what)


def _against_their_will(world: World, taken: dict[str, list[Taken]]) -> Iterator[Broken]:
    campaign = world.story.campaign
    for number in range(1, campaign.suppressed + 1):
        if taken[address(campaign, number)]:
            yield Broken("who is suppressed gets nothing", address(campaign, number))
