"""A limited run of several processes counts its tries whatever the wall's clock is set to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from support.mail_project import MailProject

from bulkmail import Campaign
from bulkmail.app.assembly import Surroundings
from bulkmail.app.processes.crew import Crew
from bulkmail.delivery.ending import RunResult, RunSettings
from bulkmail.fate import Counts
from bulkmail.report.silence import Silence

BEGAN = 1_800_000_000.0


class TwoClocks:
    """The wall's, which is set, and the one that nobody sets."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.ahead = 0.0

    def time(self) -> float:
        return BEGAN + self.passed + self.ahead

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Asked:
    """A ledger that notes since when tries are counted."""

    since = 0.0

    async def tried_since(self, _: int, since: float) -> int:
        self.since = since
        return 0

    async def counts(self, _: int) -> Counts:
        return Counts()

    async def held(self, _: int) -> int:
        return 0


class Spoken:
    """A child that says something at each of these steps of the clock, and goes."""

    def __init__(self, clock: TwoClocks, steps: list[float]) -> None:
        self._clock = clock
        self._steps = steps

    async def hear(self) -> list[Any] | None:
        if not self._steps:
            return None
        self._clock.passed += 10
        self._clock.ahead = self._steps.pop(0)
        return [("told", "something")]


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        ([0.0, 0.0], BEGAN),
        ([-3600.0], BEGAN - 3600),
        # Set back and forward again: what was tried between is dated by the hour before.
        ([-3600.0, 0.0], BEGAN - 3600),
        ([3600.0, 0.0], BEGAN),
        ([-3600.0, -7200.0, 86400.0], BEGAN - 7200 + 10),
    ],
)
async def test_tries_are_counted_from_the_earliest_that_the_clock_has_shown(
    project: MailProject, monkeypatch: pytest.MonkeyPatch, steps: list[float], since: float
) -> None:
    clock, ledger = TwoClocks(), Asked()

    async def one_child_dies(crew: Crew, task: Any, _: Any) -> list[RunResult]:
        seat = crew._seats[0]
        await crew._listen(seat, cast("Any", Spoken(clock, steps)), task)
        await crew._seats.may_go_on(seat, task.ledger, 1)
        return []

    monkeypatch.setattr(Crew, "_round", one_child_dies)
    crew = Crew(
        Campaign.load(project.save()),
        {},
        replace(Surroundings.ordinary(Silence()), clock=clock),
        of=1,
        is_transcribed=False,
        is_verbose=False,
    )
    settings = RunSettings(limit=20)

    await crew.run(
        cast("Any", Mock(ledger=ledger, campaign_id=1, settings=settings, watch=Silence()))
    )

    assert ledger.since == pytest.approx(since)
