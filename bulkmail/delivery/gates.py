"""Limits by recipient domain, as this run keeps them: a gate for each group of domains.

Rows of a group are claimed by its name, and only while its gate is open, so who waits for a slow
provider holds up nobody else. The permits themselves are in the ledger, taken together with the
server's, when the message and all its recipients are known.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from bulkmail.campaign.mail_domains import provider_of
from bulkmail.campaign.models.limit import limit_domains
from bulkmail.campaign.units import Demand, Rate
from bulkmail.delivery.ledger_port import Slowdown
from bulkmail.delivery.meter import Meter
from bulkmail.settings import DomainLimit

#: In the ledger a group's permits are counted under this and its name.
PREFIX = "domain:"
#: Seconds of a pace that are claimed at once: whoever waits for such a turn keeps a connection.
_AHEAD = 0.02


class Gate:
    """One group of domains in this run. Times are epoch seconds."""

    def __init__(self, limit: DomainLimit) -> None:
        self.limit = limit
        self.meter = Meter()
        #: Moment before which it lets nobody through.
        self.opens_at = 0.0
        #: The quota that is used up, where one is why.
        self.spent: Rate | None = None
        #: A pace that was learned.
        self.learned: Slowdown | None = None
        self._inside: set[int] = set()

    @property
    def name(self) -> str:
        """The group's name."""
        return self.limit.name

    @property
    def scope(self) -> str:
        """What its permits are counted under."""
        return PREFIX + self.limit.name

    def demand(self, recipients: int) -> Demand:
        """What a message for so many of its mailboxes needs."""
        return Demand(self.scope, self.limit.rates, recipients)

    def room(self, now: float) -> int:
        """How many more of its rows may be claimed."""
        if now < self.opens_at:
            return 0
        most = math.inf if self.limit.connections is None else self.limit.connections
        most = min([most, *(max(1, math.ceil(pace * _AHEAD)) for pace in self._paces(now))])
        return max(0, int(min(most, 1 << 30)) - len(self._inside))

    def admits(self, delivery_id: int) -> bool:
        """Whether one more message may be on its way to it: cc and bcc count, too."""
        most = self.limit.connections
        return most is None or delivery_id in self._inside or len(self._inside) < most

    def enter(self, delivery_id: int) -> None:
        """A delivery is on its way to it."""
        self._inside.add(delivery_id)

    def leave(self, delivery_id: int) -> None:
        """It has left this run's hands; harmless where it was not in them."""
        self._inside.discard(delivery_id)

    def used(self, at: float, recipients: int, *, early: float) -> None:
        """A message for so many goes at `at`; the next is made ready `early` seconds ahead."""
        spacing = max([0.0, *(1 / pace for pace in self._paces(at))])
        self.opens_at = max(self.opens_at, at + recipients * spacing - early)
        self.spent = None

    def shut(self, until: float, spent: Rate | None) -> None:
        """Let nobody through before then; the quota that is used up, where one is why."""
        self.opens_at = max(self.opens_at, until)
        self.spent = spent

    def full_pace(self, now: float, most: float) -> float:
        """Messages per second that go to it: as of late, and no more than is allowed.

        `most` where none were counted: it had no gate before, and no more than that went to it.
        """
        return min([self.meter.pace(now) or most, *self._allowed()])

    def _allowed(self) -> list[float]:
        return [rate.count / rate.window for rate in self.limit.rates if rate.is_pace]

    def _paces(self, now: float) -> list[float]:
        paces = self._allowed()
        learned = None if self.learned is None else self.learned.pace_at(now)
        return paces if learned is None else [*paces, learned]


class Gates:
    """All limits by recipient domain."""

    def __init__(self, limits: Iterable[DomainLimit] = ()) -> None:
        self._gates: dict[str, Gate] = {}
        self._by_domain: dict[str, Gate] = {}
        #: Whether there are any; most runs have none. To be read alone.
        self.are_there = False
        for limit in limits:
            self._add(limit)

    def groups(self) -> Mapping[str, Collection[str]]:
        """Domains by the name of their group, for the ledger."""
        groups: dict[str, list[str]] = {name: [] for name in self._gates}
        for domain, gate in self._by_domain.items():
            groups[gate.name].append(domain)
        return groups

    def all(self) -> Sequence[Gate]:
        """Every gate."""
        return tuple(self._gates.values())

    def open(self, now: float) -> Sequence[Gate]:
        """Those that let somebody through at `now`."""
        return tuple(gate for gate in self._gates.values() if gate.room(now))

    def of(self, forward_paths: Iterable[str]) -> dict[Gate, int]:
        """The gates a message passes, with the number of its recipients behind each."""
        behind: dict[Gate, int] = {}
        if not self._gates:
            return behind
        for path in forward_paths:
            gate = self._by_domain.get(path.rpartition("@")[2].lower())
            if gate is not None:
                behind[gate] = behind.get(gate, 0) + 1
        return behind

    def leave(self, delivery_id: int) -> None:
        """A delivery has left this run's hands."""
        for gate in self._gates.values():
            gate.leave(delivery_id)

    def named(self, name: str) -> Gate | None:
        """The gate of that group."""
        return self._gates.get(name)

    def set_up(self, domain: str) -> bool:
        """Have a gate for a domain, and all of its provider's; whether it is a new one."""
        if domain.lower() in self._by_domain:
            return False
        return self.add(provider_of(domain) or domain.lower())

    def add(self, name: str) -> bool:
        """Have a gate by a group's name, without a limit of its own; whether it is a new one."""
        if name in self._gates:
            return False
        try:
            _, domains = limit_domains(name)
        except ValueError:
            # Learned by another version, which knew a provider that this one does not.
            return False
        self._add(DomainLimit(name=name, domains=frozenset(domains)))
        return True

    def _add(self, limit: DomainLimit) -> None:
        gate = Gate(limit)
        self._gates[limit.name] = gate
        self.are_there = True
        for domain in limit.domains:
            self._by_domain.setdefault(domain, gate)
