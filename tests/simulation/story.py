"""What a seed means: the servers, the campaign, and what befalls its runs. Values only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from simulation.misfortune import temper
from simulation.temper import Act, Temper

from bulkmail.campaign.units import Rate
from bulkmail.secret import Secret
from bulkmail.settings import (
    DomainLimit,
    PasswordSource,
    RetrySettings,
    Security,
    ServerSettings,
)
from bulkmail.value_class import value_class

#: Of recipients, by row: most of them at the first.
DOMAINS = ("x.example", "x.example", "x.example", "big.example", "slow.example")


@value_class
class TwoHours(Rate):
    """A quota by two hours: one by the day would be a day's waiting, and nothing else."""

    def __str__(self) -> str:
        return f"{self.count} in two hours"


class Whom(Enum):
    """Of a run of several processes, who is killed or paused."""

    CHILD = "a child"
    PARENT = "the parent"
    ALL = "the whole family"


class Befalls(Enum):
    """What happens to a run."""

    NOTHING = "nothing"
    #: SIGKILL.
    KILL = "kill"
    #: The power goes: what was not synced is gone.
    POWER_CUT = "power cut"
    #: One signal: no new claims.
    INTERRUPT = "interrupt"
    #: Two signals: the second cuts.
    CUT = "cut"
    #: SIGSTOP, SIGCONT.
    PAUSE = "pause"
    #: Paused past its lease, and another one takes over.
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class Moment:
    """The `number`-th of something since the run began."""

    #: ``step commit mail dot taken``.
    kind: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run, and what befalls it."""

    befalls: Befalls = Befalls.NOTHING
    moment: Moment = Moment("step", 0)
    #: Seconds: of the pause, which has no end where a child hangs, or between two signals.
    seconds: float = 0.0
    #: Seconds after which another run of the same campaign is tried; None: there is none.
    rival_after: float | None = None
    limit: int | None = None
    is_waiting: bool = True
    #: Seconds to the next run.
    gap: float = 1.0
    #: How many addresses come on the suppression list while it runs.
    suppressing: int = 0
    #: Siblings on one ledger under one lock; one is the run itself.
    processes: int = 1
    whom: Whom = Whom.CHILD
    #: At which of its own steps each of the first children dies.
    deaths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """A list, and how it is sent."""

    name: str
    rows: int
    retry: RetrySettings
    #: How many of its rows are on the suppression list from the start.
    suppressed: int = 0
    #: Octets of a body; the row's number decides whether it is this one or a small one.
    large_body: int = 0
    #: Octets of a file that every eighth of its rows carries; the system itself may send it.
    file: int = 0
    #: Whether some of its rows have cc and bcc.
    has_copies: bool = False
    #: Whether each has a reverse-path of its own.
    has_own_paths: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that a seed decides but for the dice of the network and of the tempers."""

    seed: int
    settings: tuple[ServerSettings, ...]
    tempers: tuple[Temper, ...]
    campaign: CampaignPlan
    runs: tuple[RunPlan, ...]
    #: Another campaign on the same ledger and servers, which runs beside the first run.
    neighbour: CampaignPlan | None = None
    #: What the mailboxes of some domains may get.
    limits: tuple[DomainLimit, ...] = ()
    #: The machine's clock is set: after so many seconds, and by how many.
    settings_of_clock: tuple[tuple[float, float], ...] = ()


def address(campaign: CampaignPlan, number: int) -> str:
    """Of a row."""
    return f"{campaign.name}{number}@{DOMAINS[number % len(DOMAINS)]}"


def reverse_path(campaign: CampaignPlan, number: int) -> str:
    """Of a row."""
    return f"from+{number}@x.example" if campaign.has_own_paths else "from@x.example"


def copies(campaign: CampaignPlan, number: int) -> tuple[str, ...]:
    """Cc and bcc of a row."""
    if not campaign.has_copies or number % 3:
        return ()
    count = 1 + number % 2 + number % 5 // 3
    return tuple(
        f"{campaign.name}{number}.{n}@{DOMAINS[(number + n) % len(DOMAINS)]}"
        for n in range(1, count + 1)
    )


#: From so many rows to so many, and how often: half of them 50 and more, and some next to nothing.
_LISTS = ((1, 24), (50, 54), (55, 120))
_LISTS_OFTEN = (43, 52, 5)

#: Share of the runs of several processes that something befalls: what can befall those alone.
_OF_FAMILIES = 0.9
#: Share of the children paused there that do not go on, but hang until they are killed.
_HANGS = 0.5
#: Share of the stories whose campaign is sent by several processes.
_SIBLINGS = 0.29
#: Share of the stories with connections that end after a few messages, and of their servers that
#: bear no QUIT ahead.
_SHORT, _SHOCKED = 0.22, 0.85
#: Of those with several servers, one of which has two quotas; and of those whose list has a file.
_TWO_QUOTAS = 0.1
#: Of servers, those that keep what they refused; and of lists, those of VERP.
_KEEPING = 0.4
_OWN_PATHS = 0.5
_FILES = 0.12
#: More than a block of content: a smaller one is copied like the rest.
_FILE = 270_000


def tell(seed: int) -> Story:
    """The story of a seed."""
    dice = Random(f"story {seed}")
    count = dice.choices((1, 2, 3, 4), (1, 5, 3, 1))[0]
    tempers = tuple(temper(Random(f"temper {seed} {n}"), n) for n in range(count))
    # Dice of their own: the rest of a seed's story stays as it was.
    ahead = Random(f"ahead {seed}")
    for one in tempers:
        one.chunking = one.pipelining and ahead.random() < 0.4
        one.drops_behind_dot = one.pipelining and ahead.random() < 0.27
    keeping = Random(f"keeping {seed}")
    for one in tempers:
        one.keeps_envelopes = keeping.random() < _KEEPING
    weighted = dice.random() < 0.3
    rows = dice.randint(*dice.choices(_LISTS, _LISTS_OFTEN)[0])
    campaign = CampaignPlan(
        name="offer",
        rows=rows,
        retry=_retry(dice),
        suppressed=dice.choice((0, 0, 0, 1, 5)),
        large_body=200_000 if dice.random() < 0.06 else 0,
        has_copies=dice.random() < 0.45,
        has_own_paths=Random(f"paths {seed}").random() < _OWN_PATHS,
        file=_FILE if Random(f"file {seed}").random() < _FILES else 0,
    )
    neighbour = CampaignPlan(name="news", rows=dice.randint(5, 25), retry=_retry(dice))
    told = Story(
        seed=seed,
        settings=tuple(
            replace(
                _settings(dice, n, temper, weighted=weighted), window=ahead.choice((1, 2, 4, 8))
            )
            for n, temper in enumerate(tempers)
        ),
        tempers=tempers,
        campaign=campaign,
        runs=(*_troubled(dice, rows), RunPlan()),
        neighbour=neighbour if dice.random() < 0.2 else None,
        limits=_limits(dice),
        settings_of_clock=_settings_of_clock(dice),
    )
    told = _with_short_connections(told, Random(f"connections {seed}"))
    told = _with_two_quotas(told, Random(f"quotas {seed}"))
    return _with_siblings(told, Random(f"siblings {seed}"))


def _with_short_connections(story: Story, dice: Random) -> Story:
    """The first server of some is plain, takes messages ahead, and a few by each connection.

    QUIT rides behind the last of them: there are servers that forget what stands before it.
    """
    if dice.random() >= _SHORT:
        return story
    first = story.tempers[0]
    first.pipelining = first.chunking = True
    first.auth = first.starttls = False
    first.away = ()
    if dice.random() < _SHOCKED:
        first.reads_after = 2 * first.latency[1]
        first.shock = dice.choice((Act.RESET, Act.CLOSE))
    settings = replace(
        story.settings[0],
        rates=(),
        connections=dice.choice((2, 4, 8)),
        messages_per_connection=dice.choice((2, 3, 5)),
        window=dice.choice((4, 8)),
        security=Security.NONE,
        username=None,
        password=None,
    )
    return replace(story, settings=(settings, *story.settings[1:]))


def _with_two_quotas(story: Story, dice: Random) -> Story:
    """One server of some has two quotas: by the hour, and by a longer time."""
    if len(story.settings) == 1 or dice.random() >= _TWO_QUOTAS:
        return story
    which = dice.randrange(len(story.settings))
    rates: tuple[Rate, ...] = (
        Rate(dice.choice((6, 12, 25)), 3600.0),
        TwoHours(dice.choice((16, 40)), 7200.0),
    )
    if dice.random() < 0.5:
        rates = (Rate(10, 1.0), *rates)
    changed = list(story.settings)
    changed[which] = replace(changed[which], rates=rates)
    return replace(story, settings=tuple(changed))


def _with_siblings(story: Story, dice: Random) -> Story:
    """In a quarter of the stories the campaign's runs are several processes each."""
    if dice.random() >= _SIBLINGS:
        return story
    of = dice.choice((2, 2, 3))
    runs = story.runs if len(story.runs) > 1 else (_run(dice, story.campaign.rows), *story.runs)
    if any(run.limit is not None for run in runs) and dice.random() < 0.5:
        # What a limited run has tried is counted by time: of two clocks' sayings, the earlier.
        by = dice.choice((-3600.0, -90.0))
        back = (dice.choice((0.5, 1.0, 2.0)), by)
        story = replace(story, settings_of_clock=(back, *story.settings_of_clock))
    # Each has to have a connection of its own, or it is not started.
    return replace(
        story,
        settings=tuple(replace(s, connections=max(of, s.connections)) for s in story.settings),
        limits=tuple(
            replace(limit, connections=limit.connections and max(of, limit.connections))
            for limit in story.limits
        ),
        runs=tuple(_of_siblings(run, of, story.campaign.rows, dice) for run in runs),
    )


def _of_siblings(run: RunPlan, of: int, rows: int, dice: Random) -> RunPlan:
    whom = dice.choice((Whom.CHILD, Whom.PARENT, Whom.ALL))
    if run.befalls is not Befalls.NOTHING and dice.random() < _OF_FAMILIES:
        # What befalls families alone, of many other things that befall them as well.
        befalls = dice.choice((Befalls.KILL, Befalls.PAUSE, Befalls.PAUSE, Befalls.TAKEOVER))
        whom = Whom.PARENT if befalls is Befalls.KILL else Whom.CHILD
        seconds = 61 + dice.choice((1.0, 30.0)) if befalls is Befalls.TAKEOVER else run.seconds
        if befalls is Befalls.PAUSE and dice.random() < _HANGS:
            seconds = math.inf
        # Soon, so that it comes to it.
        moment = Moment(run.moment.kind, 1 + run.moment.number // 3)
        run = replace(run, befalls=befalls, seconds=seconds, moment=moment)
    if run.befalls in (Befalls.PAUSE, Befalls.TAKEOVER) and whom is Whom.PARENT:
        whom = Whom.CHILD
    count = dice.choice((0, 1, 2))
    # Their share of a message's steps, and those of beginning.
    deaths = tuple(dice.randint(1, 60 + 30 * rows // of) for _ in range(count))
    return replace(run, processes=of, whom=whom, deaths=deaths)


def _limits(dice: Random) -> tuple[DomainLimit, ...]:
    if dice.random() >= 0.3:
        return ()
    rates = (
        (Rate(5, 1.0),),
        (Rate(30, 60.0),),
        (Rate(20, 3600.0),),
        (Rate(4, 1.0), Rate(60, 3600.0)),
        (),
    )
    made = [
        DomainLimit(
            name=name,
            domains=frozenset(domains),
            rates=dice.choice(rates),
            connections=dice.choice((None, None, 1, 2)),
        )
        for name, domains in (
            ("slow.example", ("slow.example",)),
            ("the others", ("x.example", "big.example")),
        )
    ]
    return tuple(dice.sample(made, dice.choice((1, 1, 2))))


def _settings_of_clock(dice: Random) -> tuple[tuple[float, float], ...]:
    if dice.random() >= 0.15:
        return ()
    return tuple(
        (
            dice.choice((0.2, 2.0, 20.0, 200.0)),
            dice.choice((-3600.0, -90.0, -4.0, 4.0, 90.0, 7200.0)),
        )
        for _ in range(dice.randint(1, 2))
    )


def _retry(dice: Random) -> RetrySettings:
    doubles = dice.random() < 0.7
    first = dice.choice((1.0, 20.0, 60.0, 300.0))
    return RetrySettings(
        backoff=(first,) if doubles else (first, 30.0, 600.0),
        backoff_doubles=doubles,
        max_backoff=dice.choice((600.0, 3600.0)),
        give_up_after=dice.choice((900.0, 7200.0, 28800.0)),
        attempts=dice.choice((None, None, 2, 4)),
        resend_on_doubt=dice.random() < 0.75,
    )


def _settings(dice: Random, number: int, temper: Temper, *, weighted: bool) -> ServerSettings:
    wrong = temper.auth and dice.random() < 0.2
    secret = PasswordSource(secret=Secret("wrong" if wrong else "right"))
    return ServerSettings(
        name=f"mx{number}",
        host=f"mx{number}",
        port=587,
        security=Security.STARTTLS if temper.starttls else Security.NONE,
        username="people" if temper.auth else None,
        password=secret if temper.auth else None,
        auth="plain",
        rates=_rates(dice),
        connections=dice.choice((1, 2, 4, 4, 8)),
        messages_per_connection=dice.choice((0, 4, 20, 100)),
        connection_lifetime=dice.choice((20.0, 300.0)),
        timeout=30.0,
        data_timeout=dice.choice((60.0, 600.0)),
        local_hostname="me.example",
        weight=dice.randint(1, 4) if weighted else None,
    )


def _rates(dice: Random) -> tuple[Rate, ...]:
    kinds = (
        (),
        (Rate(dice.choice((5, 20, 50)), 1.0),),
        (Rate(dice.choice((20, 120, 300)), 60.0),),
        (Rate(dice.choice((15, 30, 60)), 3600.0),),
        (Rate(10, 1.0), Rate(100, 60.0), Rate(400, 3600.0)),
        (Rate(30, 1.0), Rate(25, 3600.0)),
    )
    return dice.choices(kinds, (8, 3, 3, 2, 2, 1))[0]


def _troubled(dice: Random, rows: int) -> list[RunPlan]:
    count = dice.choices((0, 1, 2, 3), (2, 5, 4, 3))[0]
    return [_run(dice, rows) for _ in range(count)]


def _run(dice: Random, rows: int) -> RunPlan:
    befalls = dice.choices(tuple(Befalls), (2, 8, 8, 4, 8, 4, 6))[0]
    seconds = dice.choice((0.01, 0.2, 3.0, 45.0))
    if befalls is Befalls.TAKEOVER:
        seconds = 61 + dice.choice((1.0, 30.0, 400.0))
    return RunPlan(
        befalls=befalls,
        moment=_moment(dice, rows),
        seconds=seconds,
        rival_after=dice.choice((0.3, 5.0, 50.0)) if dice.random() < 0.15 else None,
        limit=dice.randint(1, rows) if dice.random() < 0.15 else None,
        is_waiting=dice.random() < 0.85,
        gap=dice.choice((0.5, 30.0, 1000.0)),
        suppressing=3 if dice.random() < 0.1 else 0,
    )


def _moment(dice: Random, rows: int) -> Moment:
    kind = dice.choice(("step", "step", "commit", "mail", "dot", "taken"))
    # About so many steps and commits make a message.
    most = {"step": 45, "commit": 2}.get(kind, 1) * rows
    return Moment(kind, dice.randint(1, most))
