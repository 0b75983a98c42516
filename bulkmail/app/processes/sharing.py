"""Who gets how much of what one run may have: connections, recipients, and how many can share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bulkmail.settings import DomainLimit, Way

#: As many processes as pay.
Auto = Literal["auto"]

#: Recipients below which another process costs more than it brings: it takes half a second of a
#: processor to start, in which one that runs already sends so many.
PAYS_FROM = 3000
#: Messages a second that one process sends in any case: a slower pace needs no second one.
ONE_SENDS = 500.0


def share(whole: int, number: int, of: int) -> int:
    """What child `number` (from 0) of so many gets of `whole`; together they get just that."""
    return whole // of + (number < whole % of)


def kept_back(servers: Sequence[Way], count: int) -> tuple[Way, ...]:
    """The servers without so many connections of each; none where one would be left without any."""
    rest = tuple(replace(server, connections=server.connections - count) for server in servers)
    return rest if all(server.connections > 0 for server in rest) else ()


def divided_servers(servers: Sequence[Way], number: int, of: int) -> tuple[Way, ...]:
    """The servers as one child may use them. One with no connection for it is not among them."""
    mine = (
        replace(server, connections=share(server.connections, number, of)) for server in servers
    )
    return tuple(server for server in mine if server.connections)


def divided_limits(limits: Sequence[DomainLimit], number: int, of: int) -> tuple[DomainLimit, ...]:
    """Limits by recipient domain, as one child keeps them; rates are kept in the ledger."""
    return tuple(
        limit
        if limit.connections is None
        else replace(limit, connections=share(limit.connections, number, of))
        for limit in limits
    )


def most(servers: Sequence[Way], limits: Sequence[DomainLimit]) -> int:
    """How many processes can share these connections.

    Each needs one to the first server, or it would use a later one that is not wanted yet; where
    servers have weights, one to each of them. And each needs one of every limit by domain, or it
    could never send what has a copy to that domain.
    """
    needed = servers if any(server.weight is not None for server in servers) else servers[:1]
    found = [server.connections for server in needed]
    found += [limit.connections for limit in limits if limit.connections is not None]
    return min(found, default=1)


def how_many(
    asked: int | Auto,
    servers: Sequence[Way],
    limits: Sequence[DomainLimit],
    to_go: int | None = None,
) -> int:
    """How many processes a run has; of `auto` while `to_go` is not known, one."""
    can = most(servers, limits)
    if asked != "auto":
        return max(1, min(asked, can))
    if to_go is None:
        return 1
    pace = sum(_pace(server) for server in servers)
    pays = min(_processors(), to_go // PAYS_FROM, int(min(pace / ONE_SENDS, 1e6)))
    return max(1, min(can, pays))


def _processors() -> int:
    """Those that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pace(server: Way) -> float:
    """Messages a second that its limits let through."""
    return min((rate.count / rate.window for rate in server.rates), default=float("inf"))
