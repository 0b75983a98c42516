"""The engine: one dispatcher that claims, a fixed number of workers that send, one TaskGroup."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkmail.delivery.dispatcher import Dispatcher
from bulkmail.delivery.ending import RunResult, RunSettings
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.judging import give_back, learn_of_slowdowns
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.worker import Worker

#: Seconds between renewals: a third of the lease of 60 s.
RENEWAL = 20.0
#: Seconds between two looks at what a person ordered: 2 are allowed (design decision 10).
ATTENTION = 1.0
#: Seconds without an answer of the ledger after which a person is told: half a minute may pass
#: until it is given up, with nothing to be seen meanwhile.
SLOW = 5.0
_SILENT = "the ledger does not answer: another program keeps it locked, or its disk is slow"


class Engine:
    """One run of one campaign."""

    def __init__(self, lanes: Sequence[Lane], shared: Engagement, settings: RunSettings) -> None:
        self._lanes = tuple(lanes)
        self._shared = shared
        self._dispatcher = Dispatcher(self._lanes, shared, settings)

    async def run(self) -> RunResult:
        """Send until the run is over.

        Raises `LedgerError` when the ledger cannot be written: nothing more is sent then. On
        cancellation connections are cut; what was past its mark is recorded as in doubt.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [
                    tasks.create_task(Worker(lane, self._shared).run())
                    for lane in self._lanes
                    for _ in range(lane.settings.connections)
                ]
                helpers.append(tasks.create_task(self._renew()))
                helpers.append(tasks.create_task(self._attend()))
                result = await self._dispatcher.run()
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as group:
            # One cause, told once: the first error of the groups is what stopped the engine.
            cause: BaseException = group
            while isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]
            raise cause from None
        finally:
            await self._close()
        return result

    async def retire(self, server: str, sentence: str, hint: str = "") -> None:
        """Use a server no more in this run: another process of it was told so."""
        for lane in self._lanes:
            if lane.name == server and not lane.health.is_stopped:
                lane.health.stop(sentence, hint)
                await give_back(lane, self._shared)
        self._shared.control.wake()

    def grant(self, recipients: int) -> None:
        """Let a run with a limit take so many more."""
        self._dispatcher.grant(recipients)

    async def _renew(self) -> None:
        while True:
            await self._shared.clock.sleep(RENEWAL)
            if not self._dispatcher.in_hand:
                # There is no claim, and who waits for hours is no trouble to others meanwhile.
                continue
            await self._shared.ledger.renew()
            await learn_of_slowdowns(self._lanes, self._shared)

    async def _attend(self) -> None:
        loop, tell = asyncio.get_running_loop(), self._shared.observer.waiting
        while True:
            slow = loop.call_later(SLOW, tell, _SILENT, None)
            try:
                await self._dispatcher.heed()
            finally:
                slow.cancel()
            if slow.when() <= loop.time():
                self._shared.control.wake()  # to say what else it waits for
            await self._shared.clock.sleep(ATTENTION)

    async def _close(self) -> None:
        for lane in self._lanes:
            lane.limiter.abandon()
        try:
            # Cancelled, it cancels each of them, and ends when they have cut what they had.
            await asyncio.gather(*(lane.transport.close() for lane in self._lanes))
        except asyncio.CancelledError:
            for lane in self._lanes:
                await lane.transport.close()  # one that was cancelled before its first step
            raise
