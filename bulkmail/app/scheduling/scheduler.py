"""`run`: every campaign of a project when it is due, once, whatever stops in between.

What was begun is in the ledger before it is begun, so whoever comes next goes on with it. One
scheduler a ledger: a second one waits for its lock, which the operating system takes from the dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from bulkmail.app.interrupts import SIGNALS, answered
from bulkmail.app.scheduling.campaign_folder import CampaignFolder, Scheduled
from bulkmail.app.scheduling.occurrence import OccurrenceRun, Setting
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.occurrence_name import occurrence_name, series_of
from bulkmail.delivery.control import Control
from bulkmail.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_STOPPED,
    EXIT_USAGE,
    EXIT_WAITING,
    CampaignBusy,
)
from bulkmail.ledger import CampaignLock, OccurrenceRecord
from bulkmail.schedule.timetable import Due

#: Seconds between two looks at the folder and the clock.
TICK = 1.0
#: Seconds between two looks at what the ledger has of a campaign: a person may put somebody back.
GLANCE = 5.0
#: Seconds between two tries for the scheduler's lock.
LOCK_TICK = 0.5
#: Seconds after which an occurrence that came to nothing is tried again; they double.
FIRST_RETRY = 60.0
LAST_RETRY = 900.0
#: Names of locks: no campaign's name holds a slash.
_LOCK = "scheduler/"
_NEXT = "scheduler/next"
#: `run --once` ends by the first of these that came up, and by 0 otherwise.
_WORST = (EXIT_INTERRUPTED, EXIT_WAITING, EXIT_USAGE, EXIT_STOPPED, EXIT_FAILED)


@dataclass(slots=True)
class _Retry:
    """When an occurrence that came to nothing is tried again."""

    at: float
    delay: float


class Scheduler:
    """The campaigns of one folder on one ledger."""

    def __init__(self, folder: CampaignFolder, setting: Setting) -> None:
        self._folder = folder
        self._setting = setting
        self._clock = setting.clock
        self._voice = setting.voice
        self._ledger = setting.ledger
        self._book = setting.ledger.series()
        self._control = Control(setting.clock)
        self._runs: dict[str, OccurrenceRun] = {}
        self._retries: dict[str, _Retry] = {}
        #: When each campaign is to be looked at again.
        self._wakes: dict[str, float] = {}
        self._codes: set[int] = set()
        #: Campaigns as they were at the last look.
        self._known: dict[str, Campaign] = {}

    async def once(self) -> int:
        """Run what is due now, and leave; the exit code of `run --once`.

        Raises `LedgerError` where the ledger cannot be written.
        """
        with answered(dict.fromkeys(SIGNALS, self._stop)):
            async with self._locked(is_one_enough=True) as is_mine:
                if not is_mine:
                    return EXIT_INTERRUPTED if self._control.is_stopping else EXIT_WAITING
                self._look()
                tried: set[str] = set()
                # What becomes due meanwhile is the next one's: or it might never leave.
                as_of = self._clock.time()
                while todo := await self._todo_of_all(tried, as_of):
                    tried |= {run.name for run in todo}
                    async with _together() as tasks:
                        for run in todo:
                            tasks.create_task(self._carry_out(run))
                    if self._control.is_stopping:
                        self._codes.add(EXIT_INTERRUPTED)
                        break
        return next((code for code in _WORST if code in self._codes), EXIT_OK)

    async def serve(self) -> int:
        """Run what is due, when it is, until a signal ends it.

        Raises `LedgerError` where the ledger cannot be written.
        """
        with answered(dict.fromkeys(SIGNALS, self._stop) | {signal.SIGHUP: self._read_again}):
            async with self._locked() as is_mine:
                if is_mine:
                    self._look()
                    self._voice.say(f"Scheduler at work{self._folder.summary()}")
                    await self._serve()
        return EXIT_INTERRUPTED

    async def _serve(self) -> None:
        async with _together() as tasks:
            while not self._control.is_stopping:
                self._control.listen()
                self._look()
                for scheduled in self._folder:
                    if self._is_awake(scheduled.campaign.name):
                        for run in await self._todo(scheduled):
                            tasks.create_task(self._carry_out(run))
                await self._control.news(self._clock.time() + TICK)

    @contextlib.asynccontextmanager
    async def _locked(self, *, is_one_enough: bool = False) -> AsyncIterator[bool]:
        """Hold the scheduler's lock inside. False: it was not to be had.

        With `is_one_enough` one waits beside the one that works, and further ones leave.
        """
        lock = self._ledger.lock(_LOCK)
        queue = self._ledger.lock(_NEXT) if is_one_enough else None
        try:
            yield await self._take(lock, queue)
        finally:
            lock.release()

    async def _take(self, lock: CampaignLock, queue: CampaignLock | None) -> bool:
        if _taken(lock):
            return True
        if queue is not None and not _taken(queue):
            self._voice.say("A scheduler is at work on this ledger, and another one waits for it.")
            return False
        self._voice.say("A scheduler is at work on this ledger: waiting to take over.")
        try:
            # The brake is on from the moment somebody wants it to end.
            while await self._control.pause(self._clock.time() + LOCK_TICK):
                if _taken(lock):
                    return True
        finally:
            if queue is not None:
                queue.release()
        return False

    def _stop(self) -> None:
        self._control.stop()
        for run in self._runs.values():
            run.signalled()

    def _read_again(self) -> None:
        self._voice.say("Reading all campaigns again.")
        self._folder.forget()
        self._retries.clear()
        self._wakes.clear()
        self._control.wake()

    def _look(self) -> None:
        """Read what is new or changed in the folder, and tell what is wrong with it."""
        for error in self._folder.look():
            self._codes.add(EXIT_USAGE)
            self._voice.complain("", error)
        for scheduled in self._folder:
            campaign = scheduled.campaign
            if self._known.get(campaign.name) is not campaign:
                # A file that is new, or mended: what came to nothing is tried at once.
                self._known[campaign.name] = campaign
                self._wakes.pop(campaign.name, None)
                for name in [name for name in self._retries if series_of(name) == campaign.name]:
                    del self._retries[name]

    async def _todo_of_all(self, tried: set[str], as_of: float) -> list[OccurrenceRun]:
        if self._control.is_stopping:
            return []
        return [
            run for scheduled in self._folder for run in await self._todo(scheduled, tried, as_of)
        ]

    async def _todo(
        self, scheduled: Scheduled, tried: set[str] | None = None, as_of: float | None = None
    ) -> list[OccurrenceRun]:
        """What is to be begun, or gone on with, of one campaign; due now, or as of then."""
        name, table = scheduled.campaign.name, scheduled.timetable
        now = self._clock.time() if as_of is None else as_of
        first_seen = await self._book.first_seen(name)
        if first_seen is None or first_seen > now:
            first_seen = await self._book.see(name)
        handled = await self._book.handled(name, table.at)
        due = table.due(now, first_seen=first_seen, handled=handled)
        runs: list[OccurrenceRun] = []
        is_blocked, missed = False, 0
        for open_one in await self._book.unfinished(name):
            if due is not None and await self._is_unread(open_one) and table.is_series:
                # It never came to its list: several that were missed are run as one.
                missed += 1 + open_one.missed
                self._retries.pop(open_one.campaign, None)
                later = occurrence_name(name, due.due_at)
                await self._book.end(open_one, "superseded", f"run as one with {later}")
                continue
            is_blocked |= await self._blocks(open_one)
            if self._is_free(open_one, now, tried):
                runs.append(self._run_of(scheduled, open_one))
        if due is not None and not is_blocked:
            runs += await self._begin(scheduled, replace(due, missed=due.missed + missed))
        self._wakes[name] = self._wake_of(scheduled, now)
        for run in runs:
            self._runs[run.name] = run
        return runs

    async def _begin(self, scheduled: Scheduled, due: Due) -> list[OccurrenceRun]:
        name, table = scheduled.campaign.name, scheduled.timetable
        if table.is_series and due.waits_until is not None and not due.too_late:
            # Its list is read when it may go out: whoever signs up meanwhile is on it.
            self._codes.add(EXIT_WAITING)
            return []
        campaign = occurrence_name(name, due.due_at) if table.is_series else name
        opened = await self._book.open(name, due.due_at, campaign=campaign, missed=due.missed)
        return [self._run_of(scheduled, opened, due.too_late)]

    def _run_of(
        self, scheduled: Scheduled, occurrence: OccurrenceRecord, too_late: str = ""
    ) -> OccurrenceRun:
        until = scheduled.timetable.until
        if until is not None and self._clock.time() > until:
            too_late = "too late: its `until` has passed"
        return OccurrenceRun(scheduled, occurrence, self._setting, too_late=too_late)

    async def _is_unread(self, occurrence: OccurrenceRecord) -> bool:
        """Whether an occurrence that nobody is at work on never came to its list."""
        if occurrence.ended_at is not None or occurrence.campaign in self._runs:
            return False
        record = await self._ledger.campaign(occurrence.campaign)
        return record is None or not record.generation

    async def _blocks(self, occurrence: OccurrenceRecord) -> bool:
        """Whether the next one waits for it: not where all that is left waits, or is in doubt."""
        record = await self._ledger.campaign(occurrence.campaign)
        if record is None or not record.generation:
            return True
        counts = await self._ledger.counts(record.id)
        return counts.pending + counts.sending > 0

    def _is_free(self, occurrence: OccurrenceRecord, now: float, tried: set[str] | None) -> bool:
        """Whether it can be gone on with now."""
        name = occurrence.campaign
        retry = self._retries.get(name)
        # No longer than that: the clock may have been set back.
        is_resting = retry is not None and 0 < retry.at - now <= retry.delay
        return name not in self._runs and not is_resting and name not in (tried or ())

    def _is_awake(self, name: str) -> bool:
        """Whether a campaign is to be looked at: in a glance at the latest, by a set clock too."""
        return not 0 < self._wakes.get(name, 0.0) - self._clock.time() <= GLANCE

    def _wake_of(self, scheduled: Scheduled, now: float) -> float:
        upcoming = (at for at in scheduled.timetable.upcoming(now) if at > now)
        return min(now + GLANCE, next(upcoming, now + GLANCE))

    async def _carry_out(self, run: OccurrenceRun) -> None:
        try:
            code = await run.run()
        finally:
            self._runs.pop(run.name, None)
        self._codes.add(code)
        if code in {EXIT_OK, EXIT_FAILED}:
            self._retries.pop(run.name, None)
        else:
            before = self._retries.get(run.name)
            delay = FIRST_RETRY if before is None else min(2 * before.delay, LAST_RETRY)
            self._retries[run.name] = _Retry(self._clock.time() + delay, delay)
        self._wakes.pop(run.occurrence.series, None)
        self._control.wake()


@contextlib.asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Runs beside one another; what ends one for good ends all, and is told once."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        raise cause from None


def _taken(lock: CampaignLock) -> bool:
    try:
        lock.acquire()
    except CampaignBusy:
        return False
    return True
