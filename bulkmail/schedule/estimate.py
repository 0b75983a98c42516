"""How long a campaign takes: through the paces and quotas of its servers, and its window.

A walk through the time ahead, in strides in which nothing changes: which servers can be used, and
whether the window is open. Refusals and retries are not foreseen.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bulkmail.value_class import value_class

#: Parts into which the use of a quota is cut: it frees itself as it was used.
_PARTS = 40
#: Seconds of one stride at most: a window is only looked at so far ahead.
_LONGEST = 10 * 86400.0
#: Strides after which it is given up: nothing that is worth waiting for takes so many.
_MOST = 200_000


@dataclass(slots=True)
class Quota:
    """At most `count` in any `seconds`, and what was used of it: epoch seconds and how many."""

    count: int
    seconds: float
    used: deque[tuple[float, float]] = field(default_factory=deque)

    def room(self, now: float) -> float:
        """How many more at `now`."""
        while self.used and self.used[0][0] + self.seconds <= now:
            self.used.popleft()
        return self.count - sum(count for _, count in self.used)

    def opens_at(self, now: float) -> float:
        """When there is room for one, where there is none at `now`."""
        room = self.room(now)
        for at, count in self.used:
            room += count
            if room >= 1:
                return at + self.seconds
        return math.inf


@dataclass(slots=True, kw_only=True)
class Outlet:
    """A server, as fast as it may be used."""

    name: str
    #: Messages per second.
    pace: float
    quotas: tuple[Quota, ...] = ()
    weight: int | None = None
    #: How many go by it.
    taken: float = 0.0

    def room(self, now: float) -> float:
        """How many more at `now`, as far as quotas go; less than one is none."""
        room = min((quota.room(now) for quota in self.quotas), default=math.inf)
        return room if room >= 1 - 1e-9 else 0.0

    def opens_at(self, now: float) -> float:
        """When its quotas have room again."""
        return max(
            (quota.opens_at(now) for quota in self.quotas if quota.room(now) < 1), default=now
        )

    def stride(self) -> float:
        """How many are taken at once at most."""
        return max(1.0, min((quota.count / _PARTS for quota in self.quotas), default=math.inf))

    def take(self, count: float, at: float) -> None:
        """So many go by it, the last one `at`."""
        self.taken += count
        for quota in self.quotas:
            quota.used.append((at, count))


@value_class(kw_only=True)
class Estimate:
    """What is to be expected. Epoch seconds."""

    #: When the first one goes.
    begins_at: float
    #: When the last one is sent; infinite: never.
    ends_at: float
    #: How many by which server.
    by_outlet: dict[str, int]
    #: Seconds in which the window was shut, after the beginning; and those without a quota.
    shut_seconds: float
    spent_seconds: float
    #: How many are not sent by `until`; 0 where there is none.
    left_at_until: int


def estimate(
    count: int,
    outlets: Sequence[Outlet],
    *,
    starts_at: float,
    until: float | None = None,
    shut_until: Callable[[float], float | None] = lambda _: None,
    shuts_at: Callable[[float], float | None] = lambda _: None,
) -> Estimate:
    """Walk through the time ahead; what was used of the outlets' quotas goes on from there."""
    now, left = starts_at, float(count)
    begins_at: float | None = None
    shut = spent = late = 0.0
    for _ in range(_MOST):
        if left < 1e-6:  # noqa: PLR2004  # what sums of parts leave
            break
        opens = shut_until(now)
        usable = [outlet for outlet in outlets if outlet.room(now)]
        if opens is None and not usable:
            opens = min((outlet.opens_at(now) for outlet in outlets), default=math.inf)
            spent += opens - now
        elif opens is not None and begins_at is not None:
            shut += opens - now
        if opens is not None:
            late = left if until is not None and now <= until < opens else late
            now = opens
            if math.isinf(now):
                break
            continue
        begins_at = now if begins_at is None else begins_at
        taken, seconds = _stride(left, _active(usable), now, (shuts_at(now) or math.inf) - now)
        if until is not None and now <= until < now + seconds:
            late = left - taken * (until - now) / seconds
        now, left = now + seconds, left - taken
    else:
        now = math.inf
    return Estimate(
        begins_at=starts_at if begins_at is None else begins_at,
        ends_at=now if left < 1 else math.inf,
        by_outlet={outlet.name: round(outlet.taken) for outlet in outlets},
        shut_seconds=shut,
        spent_seconds=spent,
        left_at_until=math.ceil(late - 1e-6) if until is not None else 0,
    )


def _active(usable: Sequence[Outlet]) -> Sequence[Outlet]:
    """Those that are used now: the first of them; with weights, all."""
    return usable if usable[0].weight is not None else usable[:1]


def _stride(
    left: float, active: Sequence[Outlet], now: float, open_seconds: float
) -> tuple[float, float]:
    """Take as many as go before something changes; how many, and in how many seconds."""
    total = sum(outlet.weight or 1 for outlet in active)
    shares = [(outlet, (outlet.weight or 1) / total) for outlet in active]
    # Whose turn it is is waited for: the slowest one for its share decides.
    pace = min(outlet.pace / share for outlet, share in shares)
    most = min(
        left,
        pace * min(open_seconds, _LONGEST),
        *(min(outlet.room(now), outlet.stride()) / share for outlet, share in shares),
    )
    seconds = most / pace
    for outlet, share in shares:
        outlet.take(most * share, now + seconds)
    return most, seconds
