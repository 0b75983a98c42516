"""The lines of the table: who is set against whom, under what load, and what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.contest.contenders import (
    MAILMERGE,
    NAIVE,
    NODEMAILER,
    SMTP_SOURCE,
    THREADS,
    Contender,
    Load,
    Run,
    campaign,
    prerendered,
)

#: Seconds from a command to its reply where latency is measured; the sink's `-d` takes ms.
_LATENCY = 0.02

ONE = campaign("campaign")
ONE_FAST = campaign("campaign, durability: process", durability="process")
TWO = campaign("campaign, 2 processes", "--processes", "2")
SIGNED = campaign("campaign, signed, 2 processes", "--processes", "2", is_signed=True)
CLIENT = prerendered("SMTPClient")
CLIENT_UVLOOP = prerendered("SMTPClient, uvloop", "--uvloop")

ORDINARY = Load()
NO_CHUNKING = Load(sink=("-B",))
NO_PIPELINING = Load(sink=("-P", "-B"))
TLS = Load(tls=True)
FAR_DATA = Load(sink=("-d", "20", "-B"))
FAR_BDAT = Load(sink=("-d", "20"))
FAR_ALONE = Load(rows=2_000, connections=1, sink=("-d", "20"))
# A rival that waits for four round trips a message is as fast with few of them.
FAR_BDAT_SHORT = Load(rows=1_000, sink=("-d", "20"))
FAR_ALONE_SHORT = Load(rows=200, connections=1, sink=("-d", "20"))
SHORT = Load(rows=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure: a value of each round's runs; the median over the rounds counts."""

    what: str
    #: Each with its load, run in turn in every round.
    runs: Sequence[tuple[Contender, Load]]
    value: Callable[[Sequence[Run]], float]
    #: What is wanted, and what would be better still.
    bound: float
    beyond: float
    #: Whether less is better.
    is_cost: bool = False
    unit: str = "×"

    def is_met(self, value: float) -> bool:
        """Whether `value` is within the bound."""
        return value <= self.bound if self.is_cost else value >= self.bound


def _ratio(runs: Sequence[Run]) -> float:
    return runs[0].rate / runs[1].rate


def _round_trips(runs: Sequence[Run]) -> float:
    """Time on the wire of all connections, in round trips, for one message."""
    run, load = runs[0], FAR_DATA
    return run.seconds * load.connections / _LATENCY / run.messages


def _against(
    what: str,
    ours: Contender,
    rival: Contender,
    load: Load,
    *wanted: float,
    rivals_load: Load | None = None,
) -> Line:
    bound, beyond = wanted
    runs = ((ours, load), (rival, rivals_load or load))
    return Line(what=what, runs=runs, value=_ratio, bound=bound, beyond=beyond)


LINES = (
    _against("campaign ÷ naive aiosmtplib", ONE, NAIVE, ORDINARY, 15, 25),
    _against("campaign, process ÷ naive aiosmtplib", ONE_FAST, NAIVE, ORDINARY, 15, 25),
    _against("campaign ÷ smtplib in threads", ONE, THREADS, ORDINARY, 15, 25),
    _against("campaign ÷ nodemailer's pool", ONE, NODEMAILER, ORDINARY, 6, 10),
    _against("campaign, 2 processes ÷ naive aiosmtplib", TWO, NAIVE, ORDINARY, 25, 40),
    _against("campaign, 2 processes ÷ one", TWO, ONE, ORDINARY, 1.4, 1.7),
    _against("campaign ÷ mailmerge", ONE, MAILMERGE, ORDINARY, 15, 25, rivals_load=SHORT),
    Line(
        what="client CPU for 1,000 messages",
        runs=((ONE, ORDINARY),),
        value=lambda runs: runs[0].cpu,
        bound=0.45,
        beyond=0.30,
        is_cost=True,
        unit=" s",
    ),
    _against("SMTPClient ÷ smtp-source", CLIENT, SMTP_SOURCE, NO_CHUNKING, 1.2, 1.6),
    _against("SMTPClient, uvloop ÷ smtp-source", CLIENT_UVLOOP, SMTP_SOURCE, NO_CHUNKING, 2, 3),
    _against("SMTPClient, BDAT, uvloop ÷ smtp-source", CLIENT_UVLOOP, SMTP_SOURCE, ORDINARY, 3, 5),
    _against("no PIPELINING: campaign ÷ naive aiosmtplib", ONE, NAIVE, NO_PIPELINING, 8, 12),
    Line(
        what="signed with RSA-2048, 2 processes",
        runs=((SIGNED, ORDINARY),),
        value=lambda runs: runs[0].rate,
        bound=1200,
        beyond=1500,
        unit="/s",
    ),
    Line(
        what="20 ms, DATA: round trips a message",
        runs=((ONE, FAR_DATA),),
        value=_round_trips,
        bound=1.15,
        beyond=1.05,
        is_cost=True,
        unit="",
    ),
    _against(
        "20 ms, BDAT, 10 connections ÷ aiosmtplib",
        ONE,
        NAIVE,
        FAR_BDAT,
        25,
        40,
        rivals_load=FAR_BDAT_SHORT,
    ),
    _against(
        "20 ms, BDAT, 1 connection ÷ aiosmtplib",
        ONE,
        NAIVE,
        FAR_ALONE,
        25,
        40,
        rivals_load=FAR_ALONE_SHORT,
    ),
    Line(
        what="TLS ÷ the same without",
        runs=((ONE, TLS), (ONE, ORDINARY)),
        value=_ratio,
        bound=0.7,
        beyond=0.85,
    ),
)
