"""A campaign on a ledger, in the few words a test needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.ledger import CampaignRun, Ledger, NewRow, ReportRow


class StoppedClock:
    """Time that only the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def new_row(number: int, name: str, **facts: Any) -> NewRow:
    """Row `number` of the list, for ``name@x.example``."""
    given: dict[str, Any] = {
        "key": f"{name}@x.example",
        "address": f"{name}@x.example",
        "domain": "x.example",
        "fields": {"name": name},
        "message_id": f"<{name}.1@x.example>",
    }
    return NewRow(row=number, **(given | facts))


class Book:
    """One campaign on one ledger, and the run that works on it."""

    def __init__(self, ledger: Ledger, clock: StoppedClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.id = 0

    async def enrol(
        self,
        *rows: NewRow | str,
        batch: int = 100,
        listed: Iterable[tuple[str, str]] = (),
        campaign: str = "offer",
    ) -> Counts:
        """A whole pass; a bare name stands for its row."""
        enrolment = await self.ledger.begin(campaign, path=f"{campaign}.yaml", key_column="email")
        self.id = enrolment.campaign_id
        numbered = [
            new_row(number, row) if isinstance(row, str) else row
            for number, row in enumerate(rows, start=1)
        ]
        for start in range(0, len(numbered), batch):
            await enrolment.add(numbered[start : start + batch])
        return await enrolment.complete(list_sha256="sha", listed=listed)

    def run(self, owner: str = "me") -> CampaignRun:
        return self.ledger.run(self.id, owner=owner)

    async def claim(self, name: str) -> Delivery:
        """Claim until this one comes; give the others back."""
        claimed = await self.run().claim(1000)
        await self.run().release([row for row in claimed if row.fields.get("name") != name])
        (delivery,) = [row for row in claimed if row.fields.get("name") == name]
        return delivery

    async def end(self, name: str, state: State, **facts: Any) -> Delivery:
        """One whole try."""
        delivery = await self.claim(name)
        assert await self.run().mark(delivery, self.clock.now)
        assert await self.run().record(self.attempt(delivery, state, **facts))
        return delivery

    def attempt(self, delivery: Delivery, state: State, **facts: Any) -> Attempt:
        given: dict[str, Any] = {"reason": "so it went", "is_counted": True}
        return Attempt(
            delivery_id=delivery.id,
            epoch=delivery.epoch,
            at=self.clock.now,
            started_at=self.clock.now,
            state=state,
            **(given | facts),
        )

    async def report(self, state: State | None = None) -> list[ReportRow]:
        return [row async for row in self.ledger.report(self.id, state)]

    async def states(self) -> dict[str, str]:
        """Name to state, with the reason where there is one."""
        return {
            row.email.partition("@")[0]: f"{row.state}: {row.reason}".removesuffix(": ")
            for row in await self.report()
        }


def names(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.address.partition("@")[0] for delivery in deliveries]
