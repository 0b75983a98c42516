"""What a run is made of: what all its workers share, and what it did so far."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field
from datetime import datetime

from bulkmail.clock import Clock
from bulkmail.delivery.control import Control
from bulkmail.delivery.elsewhere import Elsewhere
from bulkmail.delivery.gates import Gates
from bulkmail.delivery.ledger_port import Ledger
from bulkmail.delivery.ports import Observer
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.fate import Attempt, Delivery, State
from bulkmail.message.mail_object import MailObject
from bulkmail.value_class import record_class, value_class

#: Composes one delivery's message for one instant. Raises `ConfigurationError` with the row's
#: faults.
Compose = Callable[[Delivery, datetime], Awaitable[MailObject]]
#: The epoch time at which sending may go on (a window that is shut); None: now.
ShutUntil = Callable[[float], float | None]
#: The same for one delivery: the window on its reader's clock.
ShutFor = Callable[[Delivery, float], float | None]


@record_class
class Tally:
    """What this run did so far."""

    #: Attempts by the state they led to.
    results: dict[State, int] = field(default_factory=dict)
    #: The deliveries that were tried, by id: when one that waits is due again (epoch seconds), None
    #: for one that does not. None where nobody asks (it grows with the list).
    tried: dict[int, float | None] | None = None

    def book(self, *attempts: Attempt) -> None:
        """Count recorded attempts."""
        results, tried = self.results, self.tried
        for attempt in attempts:
            state = attempt.state
            results[state] = results.get(state, 0) + 1
            if tried is not None and state is not State.PENDING:
                tried[attempt.delivery_id] = attempt.due_at

    def count(self, state: State, times: int) -> None:
        """So many attempts led to this state; whose they are, nobody asks."""
        self.results[state] = self.results.get(state, 0) + times

    def due(self) -> dict[int, float]:
        """Those of the tried that wait, and since or until when."""
        return {id_: at for id_, at in (self.tried or {}).items() if at is not None}

    def settle(self, ids: Iterable[int]) -> None:
        """Wait for these no longer."""
        if self.tried is not None:
            self.tried.update(dict.fromkeys(ids))


@value_class(kw_only=True)
class Engagement:
    """What all workers of a run share."""

    ledger: Ledger
    compose: Compose
    policy: RetryPolicy
    clock: Clock
    control: Control
    observer: Observer
    #: The campaign's window; None where there is none.
    shut_until: ShutUntil | None
    tally: Tally
    #: Windows of single readers; None where there are none.
    shut_for: ShutFor | None = None
    #: Limits by recipient domain.
    gates: Gates = field(default_factory=Gates)
    #: Whom a server cannot take.
    elsewhere: Elsewhere = field(default_factory=Elsewhere)

    def opens_for(self, delivery: Delivery) -> float | None:
        """When its reader's window opens; None: it is open now, or there is none."""
        return None if self.shut_for is None else self.shut_for(delivery, self.clock.time())

    def shut_at(self, now: float) -> float | None:
        """When the campaign's window opens; None: it is open at `now`, or there is none."""
        return None if self.shut_until is None else self.shut_until(now)
