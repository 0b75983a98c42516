"""Putting an engine together: pools, limits, retry policy, window, around one ledger run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Protocol

from bulkmail.app.channel import gateway
from bulkmail.app.interrupts import Interrupts
from bulkmail.app.watch import Watch
from bulkmail.campaign.load import Campaign
from bulkmail.clock import Clock, SystemClock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import RunSettings
from bulkmail.delivery.engagement import Compose, Engagement, ShutFor, ShutUntil, Tally
from bulkmail.delivery.engine import Engine
from bulkmail.delivery.gates import Gates
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ledger_port import Ledger
from bulkmail.delivery.ports import Terms, Transport
from bulkmail.delivery.refusals import Verdicts
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.fate import Delivery
from bulkmail.schedule.local_time import zone_named
from bulkmail.schedule.timetable import window_in
from bulkmail.schedule.window import Window
from bulkmail.settings import (
    DomainLimit,
    GatewaySettings,
    RetrySettings,
    ServerSettings,
    StopSettings,
    Way,
    retry_settings,
    stop_settings,
)
from bulkmail.transport.password import Password
from bulkmail.transport.pool import SessionPool
from bulkmail.transport.session import Session
from bulkmail.transport.transcript import Transcript, transcript_file
from bulkmail.transport.trust import Trust
from bulkmail.value_class import value_class

if TYPE_CHECKING:
    from bulkmail.app.processes.nursery import Nursery

#: What a server may be given, and the way to it.
End = tuple[Terms, Transport]
#: Opens a session to the server of that name in its own way, and as soon as it may be.
Opening = Callable[[str, Callable[[], Awaitable[Session]]], Awaitable[Session]]


class Ends(Protocol):
    """Makes them, of servers' settings."""

    def __call__(
        self,
        servers: Iterable[Way],
        clock: Clock,
        transcript: Transcript | None,
        *,
        opening: Opening | None = None,
    ) -> list[End]:
        """The servers, each with the way to it."""
        ...


#: Of a server's connections, those that runs of several processes leave to others beside them.
KEPT_BACK = 1


class Stock(Protocol):
    """The connections that runs beside one another share."""

    def take(self, servers: Sequence[Way]) -> bool:
        """Take all connections of these servers but `KEPT_BACK` of each; whether it could be."""
        ...

    def put_back(self, servers: Sequence[Way]) -> None:
        """Give them back."""
        ...


def pools(
    servers: Iterable[Way],
    clock: Clock,
    transcript: Transcript | None,
    *,
    opening: Opening | None = None,
) -> list[End]:
    """Servers, each with the pool of its sessions, and gateways. Nothing is connected yet.

    `opening`: what each session with a server is opened by, where others have a say in it.
    """
    return [(terms, _way(terms, clock, transcript, opening)) for terms in servers]


def _way(
    terms: Way, clock: Clock, transcript: Transcript | None, opening: Opening | None
) -> Transport:
    if isinstance(terms, GatewaySettings):
        return gateway(terms, clock, transcript)
    return _pool(terms, clock, transcript, opening)


def _pool(
    settings: ServerSettings,
    clock: Clock,
    transcript: Transcript | None,
    opening: Opening | None,
) -> SessionPool:
    open_session: Callable[[], Awaitable[Session]] = partial(
        Session.open,
        settings,
        clock=clock,
        transcript=transcript,
        password=Password(settings),
        trust=Trust(),
    )
    if opening is not None:
        open_session = partial(opening, settings.name, open_session)
    return SessionPool(settings, open_session, clock=clock)


@contextlib.asynccontextmanager
async def transcribing(
    path: Path | None, tell: Callable[[str], None]
) -> AsyncIterator[Transcript | None]:
    """A transcript appended to `path`; None where none is wanted.

    `tell` is told at the end where it could not be written.
    """
    if path is None:
        yield None
        return
    async with transcript_file(path) as transcript:
        yield transcript
    if transcript.fault:
        tell(transcript.fault)


@value_class(kw_only=True)
class Surroundings:
    """What an engine is put into: everything that is not the campaign's own."""

    clock: Clock
    control: Control
    watch: Watch
    interrupts: Interrupts
    #: Gives the ways to servers; a scheduler's runs share theirs.
    ends: Ends = pools
    #: Whom its processes have their connections from; None: nobody runs beside it.
    stock: Stock | None = None
    #: Children that were forked ahead; None: each is a new interpreter.
    nursery: Nursery | None = None

    @classmethod
    def ordinary(cls, watch: Watch, nursery: Nursery | None = None) -> Surroundings:
        """The machine's clock, and switches that nobody has touched."""
        clock = SystemClock()
        control = Control(clock)
        interrupts = Interrupts(control, watch)
        return cls(
            clock=clock, control=control, watch=watch, interrupts=interrupts, nursery=nursery
        )


def engine(
    ends: Sequence[End],
    surroundings: Surroundings,
    *,
    ledger: Ledger,
    compose: Compose,
    retry: RetrySettings,
    shut_until: ShutUntil | None,
    settings: RunSettings,
    limits: Sequence[DomainLimit] = (),
    stop_after: StopSettings | None = None,
    shut_for: ShutFor | None = None,
    verdicts: Callable[[str], Verdicts | None] = lambda _: None,
) -> tuple[Engine, Tally]:
    """An engine over these servers, and the tally it keeps.

    `verdicts` says by a server's name who counts its refusals, where that is not this process.
    """
    tally = Tally()
    shared = Engagement(
        ledger=ledger,
        compose=compose,
        policy=RetryPolicy(retry, SystemRandom()),
        clock=surroundings.clock,
        control=surroundings.control,
        observer=surroundings.watch,
        shut_until=shut_until,
        tally=tally,
        shut_for=shut_for,
        gates=Gates(limits),
    )
    lanes = [
        Lane(
            transport,
            server,
            ledger,
            surroundings.clock,
            is_patient=settings.is_waiting,
            stop_after=stop_after,
            verdicts=verdicts(server.name),
        )
        for server, transport in ends
    ]
    return Engine(lanes, shared, settings), tally


def engine_for(
    campaign: Campaign,
    ends: Sequence[End],
    surroundings: Surroundings,
    *,
    ledger: Ledger,
    compose: Compose,
    settings: RunSettings,
    ignore_window: bool,
    limits: Sequence[DomainLimit],
    verdicts: Callable[[str], Verdicts | None] = lambda _: None,
) -> tuple[Engine, Tally]:
    """The engine of a campaign's run, with all that the campaign says of it."""
    return engine(
        ends,
        surroundings,
        ledger=ledger,
        compose=compose,
        retry=retry_settings(campaign),
        shut_until=window_of(campaign, is_ignored=ignore_window),
        shut_for=reader_windows(campaign, is_ignored=ignore_window),
        settings=settings,
        limits=limits,
        stop_after=stop_settings(campaign),
        verdicts=verdicts,
    )


def window_of(campaign: Campaign, *, is_ignored: bool) -> ShutUntil | None:
    """When the campaign's window keeps all of it from sending; None: never."""
    schedule = campaign.model.schedule
    window = None if is_ignored or schedule.recipient_timezone else window_in(schedule)
    return None if window is None else window.shut_until


def reader_windows(campaign: Campaign, *, is_ignored: bool) -> ShutFor | None:
    """When a reader's own clock keeps a message from him; None where none is asked."""
    schedule = campaign.model.schedule
    column = schedule.recipient_timezone
    if is_ignored or column is None or window_in(schedule) is None:
        return None

    @cache
    def window(zone: str) -> Window | None:
        return window_in(schedule, zone_named(zone or schedule.timezone))

    def shut_for(delivery: Delivery, now: float) -> float | None:
        found = window(str(delivery.fields.get(column) or "").strip())
        return None if found is None else found.shut_until(now)

    return shut_for
