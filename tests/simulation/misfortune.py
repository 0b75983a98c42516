"""The classes of fault that servers and networks have, and how a server comes by them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulation.temper import Act, Strike, Temper

_COMMANDS = ("mail", "rcpt", "data", "end of data")
_OPENING = ("greeting", "ehlo", "starttls", "auth")

_REFUSALS = {
    "mail": (b"451 4.3.0 try again", b"452 4.3.1 out of space", b"421 4.7.0 slow down"),
    "rcpt": (b"450 4.2.1 busy mailbox", b"452 4.2.2 mailbox full", b"421 4.3.0 going down"),
    "data": (b"451 4.3.0 aborted", b"421 4.3.0 going down"),
    "end of data": (b"451 4.3.0 not now", b"452 4.3.1 disk full", b"421 4.3.0 going down"),
}

#: Lengths of virtual time in which things come and go.
_DAY_BEGINS = 600.0


def temper(dice: Random, number: int) -> Temper:
    """How server `number` is: the first one has fewer faults, so that something gets through."""
    slow = dice.choice((0.005, 0.02, 0.02, 0.3))
    made = Temper(
        dice=dice,
        latency=(slow / 10, slow),
        pipelining=dice.random() < 0.8,
        starttls=dice.random() < 0.25,
        auth=dice.random() < 0.5,
    )
    most = 4 if number == 0 else 5
    for fault in dict.fromkeys(dice.sample(_MISFORTUNES, dice.randint(0, most))):
        fault(made, dice)
    return made


def _strike(made: Temper, stage: str, share: float, strike: Strike) -> None:
    made.strikes = {**made.strikes, stage: (*made.strikes.get(stage, ()), (share, strike))}


def _splits(made: Temper, dice: Random) -> None:
    made.splitting = dice.choice((0.05, 0.2, 0.6))


def _stalls(made: Temper, dice: Random) -> None:
    share = dice.choice((0.05, 0.15))
    for stage in dice.sample((*_OPENING, *_COMMANDS, *_COMMANDS), 4):
        _strike(made, stage, share, Strike(fault=f"stall at {_class(stage)}", act=Act.STALL))


def _drops(made: Temper, dice: Random) -> None:
    made.content_loss = dice.choice((0.1, 0.3))
    made.splitting = max(made.splitting, 0.2)
    share = dice.choice((0.03, 0.08, 0.15))
    for stage in dice.sample((*_OPENING, *_COMMANDS, *_COMMANDS), 5):
        act = dice.choice((Act.RESET, Act.CLOSE))
        _strike(made, stage, share, Strike(fault=f"drop at {_class(stage)}", act=act))


def _class(stage: str) -> str:
    return "opening" if stage in _OPENING else stage


def _refuses_for_now(made: Temper, dice: Random) -> None:
    for stage in dice.sample(_COMMANDS, 3):
        strike = Strike(fault=f"4xx at {stage}", reply=dice.choice(_REFUSALS[stage]))
        _strike(made, stage, dice.choice((0.03, 0.1, 0.2)), strike)


def _refuses_for_good(made: Temper, dice: Random) -> None:
    made.unknown = dice.choice((0.02, 0.1, 0.3))
    strike = Strike(fault="5xx at end of data", reply=b"554 5.7.1 looks like spam")
    _strike(made, "end of data", dice.choice((0.03, 0.1)), strike)


def _greylists(made: Temper, dice: Random) -> None:
    made.greylisting = dice.choice((30.0, 120.0, 600.0))


def _storms(made: Temper, dice: Random) -> None:
    begin = dice.choice((0.0, 0.5, 3.0, 60.0))
    made.storming = [(begin, begin + dice.choice((1.0, 20.0, 300.0)))]


def _has_quota(made: Temper, dice: Random) -> None:
    made.quota = dice.randint(5, 30)
    made.quota_reply = dice.choice(
        (b"452 4.2.2 daily sending quota exceeded", b"550 5.4.5 daily user sending limit exceeded")
    )


def _takes_and_drops(made: Temper, dice: Random) -> None:
    act = dice.choice((Act.RESET, Act.CLOSE, Act.STALL))
    strike = Strike(fault="taken, then dropped", act=act, is_after=True)
    _strike(made, "end of data", dice.choice((0.02, 0.08, 0.2)), strike)


def _goes_away(made: Temper, dice: Random) -> None:
    made.is_black_hole = dice.random() < 0.3
    begin = dice.choice((0.0, 1.0, 10.0, _DAY_BEGINS))
    length = dice.choice((2.0, 30.0, 600.0, 1e9))
    made.away = [(begin, begin + length)]


def _logs_in_badly(made: Temper, dice: Random) -> None:
    made.auth = True
    if dice.random() < 0.4:
        made.password = "another"
    else:
        strike = Strike(fault="454 at AUTH", reply=b"454 4.7.0 try later")
        _strike(made, "auth", dice.choice((0.2, 0.5)), strike)


def _fails_tls(made: Temper, dice: Random) -> None:
    made.starttls = True
    _strike(made, "tls", dice.choice((0.05, 0.3)), Strike(fault="TLS fails"))


def _has_few_connections(made: Temper, dice: Random) -> None:
    made.most_connections = dice.randint(1, 3)


def _takes_few_at_once(made: Temper, dice: Random) -> None:
    made.most_recipients = dice.randint(1, 2)


def _tires(made: Temper, dice: Random) -> None:
    made.idle_limit = dice.choice((3.0, 10.0, 40.0))


_MISFORTUNES: tuple[Callable[[Temper, Random], None], ...] = (
    _splits,
    _stalls,
    _stalls,
    _drops,
    _drops,
    _drops,
    _refuses_for_now,
    _refuses_for_now,
    _refuses_for_good,
    _greylists,
    _storms,
    _has_quota,
    _takes_and_drops,
    _goes_away,
    _logs_in_badly,
    _logs_in_badly,
    _fails_tls,
    _has_few_connections,
    _takes_few_at_once,
    _takes_few_at_once,
    _tires,
)
