"""A scheduler on a project, with a clock that a test puts forward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from support.engine import SkippingClock
from support.mail_project import MailProject

from bulkmail.app.opening import project_ledger
from bulkmail.app.scheduling.campaign_folder import CampaignFolder
from bulkmail.app.scheduling.occurrence import Setting
from bulkmail.app.scheduling.scheduler import Scheduler
from bulkmail.app.scheduling.shared_pools import SharedPools
from bulkmail.app.watch import Watch
from bulkmail.errors import ConfigurationError
from bulkmail.report.silence import Silence
from bulkmail.report.summary import Summary

DAY = 86400


class Heard:
    """What a scheduler told."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.faults: list[str] = []
        self.summaries: list[Summary] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def complain(self, campaign: str, error: ConfigurationError) -> None:
        self.faults += [str(fault) for fault in error.faults]

    def ended(self, summary: Summary) -> None:
        self.summaries.append(summary)

    @contextlib.contextmanager
    def watching(self, campaign: str) -> Iterator[Watch]:
        yield Silence()


class Timekeeper:
    """Runs `run --once` again and again, at moments that a test chooses."""

    def __init__(self, project: MailProject) -> None:
        self.project = project
        self.clock = SkippingClock()
        # A day that has just begun: no hour ends while a test looks.
        self.clock.skip(DAY - self.clock.time() % DAY + 60)
        self.heard = Heard()

    async def once(self) -> int:
        self.heard = Heard()
        async with project_ledger(self.project.root, None, self.clock) as (_, ledger):
            setting = Setting(
                ledger=ledger,
                given=None,
                clock=self.clock,
                environ={},
                voice=self.heard,
                pools=SharedPools(),
                is_waiting=False,
            )
            return await Scheduler(CampaignFolder(self.project.root), setting).once()

    def moment(self, ahead: float = 0.0) -> datetime:
        """So many seconds from now, by the test's clock."""
        return datetime.fromtimestamp(self.clock.time() + ahead, UTC)

    def at(self, ahead: float) -> str:
        return self.moment(ahead).replace(microsecond=0).isoformat()

    def history(self) -> list[dict[str, Any]]:
        names = ("campaign", "missed", "outcome", "reason")
        rows = self.project.sql(
            "SELECT campaign, missed, outcome, reason FROM occurrence ORDER BY due_at"
        )
        return [dict(zip(names, row, strict=True)) for row in rows]
