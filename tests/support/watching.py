"""A clock that a test moves, and what a display is told."""

from __future__ import annotations

import asyncio

from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.report.least_time import Limits


class HandClock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1_796_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def delivery(
    row: int = 17,
    *,
    address: str = "chen.jie@example.com",
    tried_before: bool = False,
    doubts: int = 0,
) -> Delivery:
    return Delivery(
        id=row,
        epoch=1,
        row=row,
        key=address.lower(),
        address=address,
        fields={"email": address, "salary": "31000"},
        attempts=0,
        doubts=doubts,
        first_attempt_at=1_795_000_000.0 if tried_before else None,
        message_id="<a@example.com>",
    )


def attempt(
    state: State = State.SENT, *, code: int | None = 250, reply: str = "2.0.0 ok", reason: str = ""
) -> Attempt:
    return Attempt(
        delivery_id=17,
        epoch=1,
        at=1_796_000_000.0,
        started_at=1_796_000_000.0,
        state=state,
        reason=reason,
        server="primary",
        stage="end of data",
        code=code,
        reply=reply,
    )


class Announcements:
    """A watch that keeps what it was told before and between messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waits: list[tuple[str, float | None]] = []
        #: How many recipients each run had before it.
        self.began: list[int] = []
        #: How often it was told of rows that were checked.
        self.checked = 0
        #: Set when it is told that the run waits.
        self.waited = asyncio.Event()

    def announce(self, sentence: str) -> None:
        self.lines.append(sentence)

    def checking(self, done: int, total: int | None) -> None:
        self.checked += 1

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        self.began.append(limit)

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        pass

    def waiting(self, sentence: str, until: float | None) -> None:
        if sentence:
            self.waits.append((sentence, until))
            self.waited.set()

    def server_changed(self, server: str, sentence: str) -> None:
        pass
