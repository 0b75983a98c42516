"""An event loop whose time is virtual: it never waits, and its order is the same each time.

When nothing is ready, time jumps to the next timer. There are no threads and no sockets. Steps
run in the order in which they were asked for; timers of one instant, in the order of their making.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from simulation.process import PROCESS, Process

T = TypeVar("T")

#: Steps that a second of waiting may cost: leases are renewed, switches looked at.
_A_SECOND = 60


class NeverEnds(Exception):
    """The bound on steps or on virtual time was reached."""


class Ticket(asyncio.TimerHandle):
    """A callback that waits for its turn."""

    __slots__ = ("arguments", "call", "context", "is_dropped", "process", "serial", "when_")

    def __init__(  # it is a handle by its verbs alone: theirs would cost as much as the step
        self,
        call: Callable[..., Any],
        arguments: tuple[Any, ...],
        context: Context,
        when: float,
        serial: int,
    ) -> None:
        self.call = call
        self.arguments = arguments
        self.context = context
        self.process: Process | None = context.get(PROCESS)
        self.when_ = when
        self.serial = serial
        self.is_dropped = False

    def __hash__(self) -> int:
        return self.serial

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<Ticket {self.serial} at {self.when_}>"

    def cancel(self) -> None:
        self.is_dropped = True

    def cancelled(self) -> bool:
        return self.is_dropped

    def when(self) -> float:
        return self.when_


class SimTask(asyncio.Task[T]):
    """A task whose place in a set is the same in each replay: asyncio keeps sets of tasks."""

    serial = 0

    def __hash__(self) -> int:
        return self.serial


class VirtualLoop(asyncio.BaseEventLoop):
    """The part of an event loop that tasks, futures, timeouts and sleeps need."""

    def __init__(self, *, max_steps: int, max_seconds: float) -> None:
        # Not theirs: nothing of it is used, and it would want to be closed.
        self._now = 0.0
        self._max_steps = max_steps
        self._max_seconds = max_seconds
        self._next: deque[Ticket] = deque()
        self._timers: list[tuple[float, int, Ticket]] = []
        self._serial = 0
        #: Every task, so that what was abandoned is not collected, and run, half-way.
        self._tasks: list[SimTask[Any]] = []
        #: The context of the world: of no process.
        self.world = copy_context()
        self.steps = 0

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]  # theirs is generic in its arguments
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        ticket = self._ticket(callback, args, context, self._now)
        self._next.append(ticket)
        return ticket

    def call_later(  # type: ignore[override]  # theirs is generic in its arguments
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # theirs is generic in its arguments
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        ticket = self._ticket(callback, args, context, max(when, self._now))
        heapq.heappush(self._timers, (ticket.when_, ticket.serial, ticket))
        return ticket

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # typeshed names what this loop has no use for
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._serial += 1
        SimTask.serial = self._serial
        task = SimTask(coro, loop=self, name=name, context=context)
        task.serial = self._serial
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nobody looked at a future's exception: of a killed process, as a rule."""

    def run(self, until: Callable[[], bool]) -> None:
        """Run steps until `until` holds. Raises `NeverEnds`."""
        events._set_running_loop(self)
        try:
            while not until():
                if self._next:
                    self._step(self._next.popleft())
                elif self._timers:
                    self._advance()
                else:
                    raise NeverEnds("everybody waits, and nothing is to come")
        finally:
            events._set_running_loop(None)

    def resume(self, process: Process) -> None:
        """End a pause: what became ready meanwhile runs."""
        process.is_paused = False
        self._next.extend(process.parked)
        process.parked.clear()

    def dispose(self) -> None:
        """Close what was abandoned; nothing that it still does is of any effect."""
        self._next.clear()
        self._timers.clear()
        # A `finally` that awaits refuses to be closed, and Python would print that.
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        # What it would still begin becomes a task, which is closed in turn: the list grows under
        # way. Without a loop it would be a coroutine that nobody awaited, told at whatever runs
        # when it is collected.
        events._set_running_loop(self)
        try:
            for task in self._tasks:
                if not task.done():
                    _close(task)
        finally:
            events._set_running_loop(None)
            sys.unraisablehook = hook
        self._next.clear()
        self._timers.clear()
        self._tasks.clear()

    def _ticket(
        self,
        call: Callable[..., Any],
        arguments: tuple[Any, ...],
        context: Context | None,
        when: float,
    ) -> Ticket:
        self._serial += 1
        # An empty context is false.
        context = copy_context() if context is None else context
        return Ticket(call, arguments, context, when, self._serial)

    def _advance(self) -> None:
        """Jump to the next timer; all of that instant are ready then."""
        _, _, first = heapq.heappop(self._timers)
        if first.is_dropped:
            return
        self._now = first.when_
        if self._now > self._max_seconds:
            raise NeverEnds(f"still going on after {self._max_seconds:g} virtual seconds")
        self._next.append(first)
        while self._timers and self._timers[0][0] <= self._now:
            self._next.append(heapq.heappop(self._timers)[2])

    def _step(self, ticket: Ticket) -> None:
        if ticket.is_dropped:
            return
        process = ticket.process
        if process is not None:
            if process.is_dead:
                return
            if process.is_paused:
                process.parked.append(ticket)
                return
            process.steps += 1
            if process.at_step and (happens := process.at_step.pop(process.steps, None)):
                happens()
                self._next.appendleft(ticket)
                return
        self.steps += 1
        if self.steps > self._max_steps + _A_SECOND * self._now:
            raise NeverEnds(f"still going on after {self.steps} steps")
        ticket.context.run(ticket.call, *ticket.arguments)


def _close(task: SimTask[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio itself does
    coroutine = task.get_coro()
    for _ in range(8):
        with contextlib.suppress(BaseException):
            coroutine.close()
            return
