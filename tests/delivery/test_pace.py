"""How exactly a pace is kept, and how much of it is used: on a clock that is virtual."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from support.engine import Bench, FakeTransport, accepts
from support.virtual import VirtualClock, virtually

from bulkmail.campaign.units import Rate
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.ledger import Ledger
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import DomainLimit
from bulkmail.smtp.transaction import TransactionResult

SLOW = DomainLimit(name="slow", domains=frozenset({"slow.example"}), rates=(Rate(20, 1.0),))
#: Seconds in which a server answers.
ROUND_TRIP = 0.005


async def bench_for(clock: VirtualClock, *addresses: str) -> Bench:
    ledger = await Ledger.open(None, clock=clock)
    return await Bench.of(ledger, clock, *addresses)


class Timed(FakeTransport):
    """Remembers when a message was handed over, by recipient domain."""

    def __init__(self, clock: VirtualClock, name: str = "primary") -> None:
        super().__init__(name, self.timed)
        self._clock = clock
        self.at: dict[str, list[float]] = {}

    async def timed(self, mail: MailObject, mark: Mark) -> TransactionResult:
        for path in mail.envelope.forward_paths:
            self.at.setdefault(path.rpartition("@")[2], []).append(self._clock.time())
        await asyncio.sleep(ROUND_TRIP)
        return await accepts(mail, mark)


def people(count: int, domain: str) -> list[str]:
    return [f"u{n}@{domain}" for n in range(count)]


def most_within(instants: list[float], window: float) -> int:
    return max(sum(start <= t <= start + window for t in instants) for start in instants)


@pytest.mark.parametrize("connections", [1, 8, 50])
def test_a_pace_is_never_exceeded_and_used_to_97_percent(connections: int) -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(150, "x.example"))
        server = Timed(clock)

        await bench.send(server, connections=connections, rates=(Rate(50, 1.0),))

        at = sorted(server.at["x.example"])
        spacings = [later - earlier for earlier, later in pairwise(at)]
        assert len(at) == 150
        assert most_within(at, 1.0) <= 50
        assert (len(at) - 1) / (at[-1] - at[0]) >= 0.97 * 50
        assert max(spacings) < 2 / 50, "spread evenly"

    virtually(story)


def test_the_smallest_of_several_paces_holds() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(40, "x.example"))
        server = Timed(clock)
        rates = (Rate(1000, 1.0), Rate(1200, 60.0), Rate(400, 3600.0))

        await bench.send(server, connections=4, rates=rates)

        at = sorted(server.at["x.example"])
        assert most_within(at, 0.5) <= 11, "20 a second, and both ends of the window"
        assert at[-1] - at[0] >= 39 / 20

    virtually(story)


@pytest.mark.parametrize("spacing", [1.0, 6.0])
def test_a_turn_before_which_the_clock_is_set_back_is_not_waited_for(spacing: float) -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(12, "x.example"))
        server = Timed(clock)
        asyncio.get_running_loop().call_later(2.5, setattr, clock, "set_by", -3600.0)

        await bench.send(server, connections=4, rates=(Rate(round(60 / spacing), 60.0),))

        assert len(server.at["x.example"]) == 12
        assert clock.monotonic() < 12 * spacing + 60

    virtually(story)


def test_a_pace_by_the_minute_is_spread_over_it() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(3, "x.example"))
        server = Timed(clock)

        await bench.send(server, rates=(Rate(100, 60.0),), is_waiting=False)

        first, *_, last = server.at["x.example"]
        assert 1.2 <= last - first < 1.5

    virtually(story)


@pytest.mark.parametrize("connections", [1, 8])
def test_a_slow_domain_keeps_its_pace_and_nobody_else_waiting(connections: int) -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(30, "slow.example"), *people(60, "quick.example"))
        bench.limits = (SLOW,)
        server = Timed(clock)

        result = await bench.send(server, connections=connections)

        assert result.ending is Ending.DONE
        assert await bench.states() == {"sent": 90}
        slow, quick = server.at["slow.example"], server.at["quick.example"]
        assert most_within(slow, 1.0) <= 20
        assert quick[-1] < slow[-1]
        assert 29 / 20 <= slow[-1] - slow[0] < 2 * 29 / 20

    virtually(story)


def test_a_domains_pace_holds_over_all_servers() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = await bench_for(clock, *people(25, "slow.example"))
        bench.limits = (SLOW,)
        first, second = Timed(clock, "a"), Timed(clock, "b")

        await bench.engine(first, second, weight=1).run()

        instants = sorted([*first.at["slow.example"], *second.at["slow.example"]])
        assert len(instants) == 25
        assert most_within(instants, 1.0) <= 20
        assert first.received
        assert second.received

    virtually(story)
