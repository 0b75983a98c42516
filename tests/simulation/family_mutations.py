"""Guards of a run of several processes, taken out: see `mutations`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from operator import attrgetter
from typing import Any
from unittest.mock import patch

from bulkmail.app.processes import child, seats, vigil
from bulkmail.app.processes.crew import Crew
from bulkmail.app.processes.door import Door
from bulkmail.app.processes.seats import Seat, Seats
from bulkmail.ledger import Ledger


@contextlib.contextmanager
def all_claims_freed_by_a_death() -> Iterator[None]:
    """What one child's death frees is what all of the run's children have claimed."""
    real = Ledger.recover

    async def recover(self: Ledger, campaign_id: int, **how: Any) -> int:
        return await real(self, campaign_id, **(how | {"owner": None}))

    with patch.object(Ledger, "recover", recover):
        yield


@contextlib.contextmanager
def silent_child_waited_for() -> Iterator[None]:
    """A child that does not answer is asked for ever, and never killed."""
    with patch.object(vigil, "KILLED", sys.maxsize):
        yield


@contextlib.contextmanager
def dead_child_not_buried() -> Iterator[None]:
    """What a dead child had past its mark stays as it is."""

    async def bury(self: Crew, *facts: Any) -> None:
        """It will have been nothing."""

    with patch.object(Crew, "_bury", bury):
        yield


@contextlib.contextmanager
def connections_not_divided() -> Iterator[None]:
    """Every child has all the connections of the run."""
    with patch.object(child, "divided_servers", lambda servers, *_: servers):
        yield


@contextlib.contextmanager
def domains_not_divided() -> Iterator[None]:
    """Every child has all the connections that a domain may have."""
    with patch.object(child, "divided_limits", lambda limits, *_: limits):
        yield


@contextlib.contextmanager
def refused_login_not_passed_on() -> Iterator[None]:
    """A child tries a login whatever came of it for another one."""

    async def enter(self: Door, server: str, open_session: Any) -> Any:
        return await open_session()

    with patch.object(Door, "enter", enter):
        yield


@contextlib.contextmanager
def number_not_divided() -> Iterator[None]:
    """Every child may try as many recipients as the whole run."""
    with patch.object(seats, "share", lambda whole, *_: whole):
        yield


@contextlib.contextmanager
def clock_set_back_forgotten() -> Iterator[None]:
    """What a limited run has tried is counted from when it began by a clock that was set since."""
    with patch.object(Seats, "since", property(attrgetter("_began_at"))):
        yield


@contextlib.contextmanager
def tries_of_the_dead_forgotten() -> Iterator[None]:
    """Who replaces a dead child of a limited run may try as many as that one might."""

    async def may_go_on(self: Seats, seat: Seat, *_: Any) -> bool:
        seat.tried.clear()
        return True

    with patch.object(Seats, "may_go_on", may_go_on):
        yield
