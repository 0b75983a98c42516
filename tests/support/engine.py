"""A server that is a function, and a run around it on the ledger that ships for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Self

from bulkmail.clock import SystemClock
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import RunResult, RunSettings
from bulkmail.delivery.engagement import Engagement, Tally
from bulkmail.delivery.engine import Engine
from bulkmail.delivery.gates import Gates
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Mark, Meanwhile
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.fate import Attempt, Delivery
from bulkmail.ledger import CampaignRun, Ledger, NewRow
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import DomainLimit, RetrySettings, Security, ServerSettings
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult

MAIL_OK = Reply(250, ("2.1.0 ok",))
GO_ON = Reply(354, ("go on",))
QUEUED = Reply(250, ("2.0.0 queued",))


def accepted(mail: MailObject) -> TransactionResult:
    return TransactionResult(
        mail=MAIL_OK,
        recipients=dict.fromkeys(mail.envelope.forward_paths, MAIL_OK),
        data=GO_ON,
        end_of_data=QUEUED,
    )


def refused_at_rcpt(mail: MailObject, code: int, text: str) -> TransactionResult:
    path = mail.envelope.forward_paths[0]
    return TransactionResult(mail=MAIL_OK, recipients={path: Reply(code, (text,))})


#: What a fake server does with one message: a result, or an exception raised from it. It awaits
#: the mark itself, where a real session would.
Behaviour = Callable[[MailObject, Mark], Awaitable[TransactionResult]]


async def accepts(mail: MailObject, mark: Mark) -> TransactionResult:
    await mark()
    return accepted(mail)


class FakeSession:
    def __init__(self, transport: FakeTransport) -> None:
        self._transport = transport

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        meanwhile: Meanwhile | None = None,
    ) -> TransactionResult:
        del first_decides, meanwhile
        if check is not None:
            check()
        await asyncio.sleep(0)
        result = await self._transport.behaviour(mail, mark)
        if result.is_accepted:
            self._transport.received.append(mail)
        return result


class FakeTransport:
    """Gives sessions while `opening` does not raise."""

    def __init__(self, name: str, behaviour: Behaviour = accepts) -> None:
        self.name = name
        self.behaviour = behaviour
        self.opening: Callable[[], None] = lambda: None
        self.received: list[MailObject] = []
        self.opened = 0
        self.in_use = 0
        self.most_in_use = 0
        self.is_closed = False

    async def acquire(self) -> FakeSession:
        self.opened += 1
        await asyncio.sleep(0)
        self.opening()
        self.in_use += 1
        self.most_in_use = max(self.most_in_use, self.in_use)
        return FakeSession(self)

    async def release(self, session: object) -> None:
        self.in_use -= 1

    async def close(self) -> None:
        self.is_closed = True

    @property
    def addresses(self) -> list[str]:
        return [mail.envelope.forward_paths[0] for mail in self.received]


@dataclass
class Recorder:
    attempts: list[tuple[Delivery, Attempt]] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    server_news: list[tuple[str, str]] = field(default_factory=list)

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        self.attempts.append((delivery, attempt))

    def waiting(self, sentence: str, until: float | None) -> None:
        if sentence:
            self.waits.append(sentence)

    def server_changed(self, server: str, sentence: str) -> None:
        self.server_news.append((server, sentence))


def server(name: str = "primary", **settings: Any) -> ServerSettings:
    return ServerSettings(name=name, host="127.0.0.1", port=25, security=Security.NONE, **settings)


async def compose(delivery: Delivery, instant: datetime) -> MailObject:
    del instant
    return MailObject(
        envelope=Envelope("from@x.example", (delivery.address,)),
        chunks=(b"Subject: hi\r\n\r\nhi\r\n",),
        message_id=delivery.message_id,
    )


class SkippingClock(SystemClock):
    """The machine's clock, which a test may put forward."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._elapsed = 0.0

    def skip(self, seconds: float) -> None:
        self._ahead += seconds

    def elapse(self, seconds: float) -> None:
        """Let so much time go by; timers of the loop do not notice."""
        self._ahead += seconds
        self._elapsed += seconds

    def monotonic(self) -> float:
        return super().monotonic() + self._elapsed

    def time(self) -> float:
        return super().time() + self._ahead


@dataclass
class Bench:
    """A campaign of `rows` recipients in memory, and everything around one run of it."""

    ledger: Ledger
    run: CampaignRun
    campaign_id: int
    recorder: Recorder = field(default_factory=Recorder)
    retry: RetrySettings = field(default_factory=lambda: RetrySettings(backoff=(0.01,)))
    compose: Callable[[Delivery, datetime], Awaitable[MailObject]] = compose
    clock: SkippingClock = field(default_factory=SkippingClock)
    shut_until: Callable[[float], float | None] = lambda now: None
    limits: tuple[DomainLimit, ...] = ()

    def __post_init__(self) -> None:
        self.control = Control(self.clock)

    @classmethod
    async def of(cls, ledger: Ledger, clock: SkippingClock, *addresses: str) -> Self:
        """A campaign to these addresses, enrolled."""
        enrolment = await ledger.begin("c", path="campaigns/c.yaml", key_column="")
        rows = [
            NewRow(
                row=n,
                key=address,
                address=address,
                domain=address.rpartition("@")[2],
                fields={"email": address},
                message_id=f"<{n}@x.example>",
            )
            for n, address in enumerate(addresses, start=1)
        ]
        await enrolment.add(rows)
        await enrolment.complete(list_sha256="0")
        run = ledger.run(enrolment.campaign_id, owner="me")
        return cls(ledger, run, enrolment.campaign_id, clock=clock)

    def engine(
        self,
        *transports: FakeTransport,
        limit: int | None = None,
        is_waiting: bool = True,
        **settings: Any,
    ) -> Engine:
        lanes = [
            Lane(
                transport,
                server(transport.name, **settings),
                self.run,
                self.clock,
                is_patient=is_waiting,
            )
            for transport in transports
        ]
        shared = Engagement(
            ledger=self.run,
            compose=self.compose,
            policy=RetryPolicy(self.retry, Random(1)),
            clock=self.clock,
            control=self.control,
            observer=self.recorder,
            shut_until=self.shut_until,
            tally=Tally(),
            gates=Gates(self.limits),
        )
        return Engine(lanes, shared, RunSettings(limit=limit, is_waiting=is_waiting))

    async def send(self, *transports: FakeTransport, **options: Any) -> RunResult:
        return await self.engine(*transports, **options).run()

    async def states(self) -> dict[str, int]:
        counts = await self.ledger.counts(self.campaign_id)
        names = ("pending", "sending", "sent", "deferred", "failed", "suppressed", "in_doubt")
        return {name: n for name in names if (n := getattr(counts, name))}

    async def claimable(self) -> int:
        """How many deliveries another owner can claim right now."""
        return len(await self.ledger.run(self.campaign_id, owner="other").claim(1000))

    async def take_over(self) -> None:
        """Let the leases of this run expire, and another run claim everything."""
        self.clock.skip(61)
        assert await self.claimable()
