"""Limits by recipient domain, seen from outside: who is sent when, and who waits for nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import pytest
from support.engine import Bench, FakeTransport, SkippingClock, accepts, refused_at_rcpt

from bulkmail.campaign.units import Rate
from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ports import Mark
from bulkmail.fate import Delivery
from bulkmail.ledger import Ledger
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import DomainLimit, RetrySettings
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.transaction import TransactionResult

#: Addresses to a bench.
BenchFor = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def bench_for() -> AsyncIterator[BenchFor]:
    clock = SkippingClock()
    ledger = await Ledger.open(None, clock=clock)

    async def make(*addresses: str) -> Bench:
        return await Bench.of(ledger, clock, *addresses)

    yield make
    await ledger.close()


def limited(*rates: Rate, connections: int | None = None) -> DomainLimit:
    return DomainLimit(
        name="slow", domains=frozenset({"slow.example"}), rates=rates, connections=connections
    )


def people(count: int, domain: str) -> list[str]:
    return [f"u{n}@{domain}" for n in range(count)]


class Timed(FakeTransport):
    """Remembers when MAIL was handed over, and how many were on their way to one domain."""

    def __init__(self, name: str = "primary") -> None:
        super().__init__(name, self.timed)
        self.at: dict[str, list[float]] = {}
        self.slow_now = self.slow_most = 0

    async def timed(self, mail: MailObject, mark: Mark) -> TransactionResult:
        to_slow = any(path.endswith("@slow.example") for path in mail.envelope.forward_paths)
        for path in mail.envelope.forward_paths:
            self.at.setdefault(path.rpartition("@")[2], []).append(time.time())
        self.slow_now += to_slow
        self.slow_most = max(self.slow_most, self.slow_now)
        await asyncio.sleep(0.005)
        self.slow_now -= to_slow
        return await accepts(mail, mark)


async def test_no_more_connections_to_a_domain_than_it_may_have(bench_for: BenchFor) -> None:
    bench = await bench_for(*people(40, "slow.example"), *people(40, "quick.example"))
    bench.limits = (limited(connections=2),)
    server = Timed()

    await bench.send(server, connections=8)

    assert server.slow_most == 2
    assert server.most_in_use > 2
    assert await bench.states() == {"sent": 80}


async def test_a_spent_quota_of_a_domain_is_waited_for_and_the_others_are_sent(
    bench_for: BenchFor,
) -> None:
    bench = await bench_for(*people(10, "slow.example"), *people(10, "quick.example"))
    bench.limits = (limited(Rate(4, 3600.0)),)
    server = Timed()

    result = await bench.send(server, is_waiting=False)

    assert result.ending is Ending.WAITING
    assert result.sentence == "slow: the quota 4/h of these domains is spent"
    assert result.until is not None
    assert 3500 < result.until - time.time() < 3700
    assert await bench.states() == {"sent": 14, "pending": 6}
    assert len(server.at["slow.example"]) == 4


async def test_a_pace_is_kept_and_not_left_without_waiting(bench_for: BenchFor) -> None:
    bench = await bench_for(*people(5, "slow.example"))
    bench.limits = (limited(Rate(20, 1.0)),)

    result = await bench.send(Timed(), is_waiting=False)

    assert result.ending is Ending.DONE


async def test_a_limited_run_comes_to_its_end_behind_a_domains_limit(bench_for: BenchFor) -> None:
    bench = await bench_for(*people(5, "slow.example"))
    bench.limits = (limited(Rate(20, 1.0)),)

    result = await bench.send(Timed(), limit=3)

    assert result.ending is Ending.LIMIT
    assert await bench.states() == {"sent": 3, "pending": 2}


async def test_cc_and_bcc_count(bench_for: BenchFor) -> None:
    bench = await bench_for(*people(6, "quick.example"))
    bench.limits = (limited(Rate(4, 3600.0)),)
    compose = bench.compose

    async def with_copies(delivery: Delivery, instant: datetime) -> MailObject:
        mail = await compose(delivery, instant)
        copies = ("cc@slow.example", "bcc@slow.example")
        paths = (*mail.envelope.forward_paths, *copies)
        return MailObject(Envelope("from@x.example", paths), mail.chunks, mail.message_id)

    bench.compose = with_copies
    server = Timed()

    result = await bench.send(server, is_waiting=False)

    assert len(server.received) == 2
    assert result.ending is Ending.WAITING
    assert await bench.states() == {"sent": 2, "pending": 4}


async def test_who_waits_for_the_turn_of_a_cc_is_not_claimed_again_and_again(
    bench_for: BenchFor,
) -> None:
    """With each turn of the slow group, all whose cc is there were claimed and put off anew."""
    bench = await bench_for(*people(20, "quick.example"))
    bench.limits = (limited(Rate(15, 1.0)),)
    compose, composed = bench.compose, 0

    async def with_copy(delivery: Delivery, instant: datetime) -> MailObject:
        nonlocal composed
        composed += 1
        mail = await compose(delivery, instant)
        paths = (*mail.envelope.forward_paths, "cc@slow.example")
        return MailObject(Envelope("from@x.example", paths), mail.chunks, mail.message_id)

    bench.compose = with_copy

    result = await bench.send(Timed(), is_waiting=False)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 20}
    assert composed < 3 * 20


async def test_who_are_in_one_anothers_way_are_all_sent(bench_for: BenchFor) -> None:
    """Each has the other's group as its cc's, and either group takes one at a time."""
    bench = await bench_for(*people(10, "slow.example"), *people(10, "quick.example"))
    bench.limits = (
        limited(connections=1),
        DomainLimit(name="quick", domains=frozenset({"quick.example"}), connections=1),
    )
    compose, composed = bench.compose, 0

    async def with_copy(delivery: Delivery, instant: datetime) -> MailObject:
        nonlocal composed
        composed += 1
        mail = await compose(delivery, instant)
        paths = (*mail.envelope.forward_paths, "cc@slow.example", "cc@quick.example")
        return MailObject(Envelope("from@x.example", paths), mail.chunks, mail.message_id)

    bench.compose = with_copy

    result = await bench.send(Timed(), connections=4)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 20}
    assert composed < 100


async def test_who_comes_back_behind_a_limit_is_sent_in_the_end(bench_for: BenchFor) -> None:
    seen: set[str] = set()

    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        path = mail.envelope.forward_paths[0]
        if path not in seen:
            seen.add(path)
            return refused_at_rcpt(mail, 450, "4.2.0 greylisted")
        return await accepts(mail, mark)

    bench = await bench_for(*people(5, "slow.example"), *people(5, "quick.example"))
    bench.limits = (limited(Rate(100, 1.0), connections=1),)
    server = FakeTransport("primary", greylists)

    result = await bench.send(server, connections=4)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 10}


async def test_a_run_is_not_over_for_who_is_due_after_their_domain_has_time(
    bench_for: BenchFor,
) -> None:
    """Found by the simulation: the domain's turn came first, and nobody of it was due by then."""

    async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
        del mark
        return refused_at_rcpt(mail, 450, "4.2.0 greylisted")

    bench = await bench_for("u@slow.example")
    bench.limits = (limited(Rate(1, 60.0)),)
    bench.retry = RetrySettings(backoff=(3600.0,))

    result = await bench.send(FakeTransport("primary", greylists), is_waiting=False)

    assert result.ending is Ending.WAITING
    assert result.sentence == "deferred recipients wait for their next try"


async def test_who_was_greylisted_goes_by_the_same_server(bench_for: BenchFor) -> None:
    tried: dict[str, list[str]] = {}

    def server(name: str) -> FakeTransport:
        async def greylists(mail: MailObject, mark: Mark) -> TransactionResult:
            by = tried.setdefault(mail.envelope.forward_paths[0], [])
            by.append(name)
            if len(by) == 1:
                return refused_at_rcpt(mail, 451, "4.7.1 greylisted, come again")
            return await accepts(mail, mark)

        return FakeTransport(name, greylists)

    bench = await bench_for(*people(30, "x.example"))
    bench.retry = RetrySettings(backoff=(0.05,))

    await bench.engine(server("a"), server("b"), weight=1).run()

    assert {name for names in tried.values() for name in names} == {"a", "b"}
    assert all(names == [names[0]] * 2 for names in tried.values()), tried
