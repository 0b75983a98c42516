"""An event loop whose time is virtual: it never waits, and its order is the same each time.

When nothing is ready, time jumps to the next timer. There are no threads and no sockets. Steps
run in the order in which they were asked for; timers of one instant, in the order of their making.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeVar

from simulation.process import PROCESS, Process

T = TypeVar("T")

#: Steps that a second of waiting may cost: leases are renewed, switches looked at.
_A_SECOND = 60


class NeverEnds(Exception):
    """The bound on steps or on virtual time was reached."""


class Ticket(list[Any]):
    """A callback that waits for its turn: when, its serial number, call, arguments, context.

    A list, so that it is made, and finds its place among the timers, at the speed of one.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # a handle is itself, whatever is in it
        return hash(self[1])

    def __repr__(self) -> str:
        return f"<Ticket {self[1]} at {self[0]}>"

    def cancel(self) -> None:
        """It is dropped when its turn comes."""
        self[2] = None

    def cancelled(self) -> bool:
        """Whether it was."""
        return self[2] is None

    def when(self) -> float:
        """The instant of its turn."""
        when: float = self[0]
        return when


class SimTask(asyncio.Task[T]):
    """A task whose place in a set is the same in each replay: asyncio keeps sets of tasks."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, T],
        serial: int,
        *,
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: Context | None,
    ) -> None:
        #: Before the rest: asyncio puts a task into a set while it is made.
        self.serial = serial
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.serial


class VirtualLoop(asyncio.BaseEventLoop):
    """The part of an event loop that tasks, futures, timeouts and sleeps need."""

    def __init__(self, *, max_steps: int, max_seconds: float) -> None:
        # Not theirs: nothing of it is used, and it would want to be closed.
        #: Virtual seconds.
        self.now = 0.0
        self._max_steps = max_steps
        self._max_seconds = max_seconds
        self._next: deque[Ticket] = deque()
        self._timers: list[Ticket] = []
        self._serial = 0
        #: Every task, so that what was abandoned is not collected, and run, half-way.
        self._tasks: list[SimTask[Any]] = []
        #: Made in C, too.
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        #: It is asked often: in C.
        self.time = partial(getattr, self, "now")  # type: ignore[method-assign]
        #: The context of the world: of no process.
        self.world = copy_context()
        self.steps = 0

    def call_soon(  # type: ignore[override]  # ours are no handles but by their verbs
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        self._serial = serial = self._serial + 1
        if context is None:
            context = copy_context()
        ticket = Ticket((self.now, serial, callback, args, context))
        self._next.append(ticket)
        return ticket

    def call_later(  # type: ignore[override]  # ours are no handles but by their verbs
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # ours are no handles but by their verbs
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Ticket:
        self._serial = serial = self._serial + 1
        if when < self.now:  # noqa: PLR1730  # thrice as fast
            when = self.now
        if context is None:
            context = copy_context()
        ticket = Ticket((when, serial, callback, args, context))
        heappush(self._timers, ticket)
        return ticket

    def create_task(  # type: ignore[override]  # typeshed names what this loop has no use for
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._serial += 1
        task = SimTask(coro, self._serial, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    #: Asked by every future and task that is made: a call into C says no at once.
    get_debug = bool

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nobody looked at a future's exception: of a killed process, as a rule."""

    def run(self, until: Callable[[], bool]) -> None:
        """Run whole instants until `until` holds. Raises `NeverEnds`."""
        events._set_running_loop(self)
        try:
            self._run(until)
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

    def _run(self, until: Callable[[], bool]) -> None:
        """Run what is ready, and what becomes ready by it, then the next instant's, until it holds.

        In one frame: it is thousands of steps a seed.
        """
        ready, timers, process_of = self._next, self._timers, PROCESS
        take, steps = ready.popleft, self.steps
        try:
            while True:
                most = self._max_steps + _A_SECOND * self.now
                while ready:
                    ticket = take()
                    _, _, call, arguments, context = ticket
                    if call is None:
                        continue
                    process: Process | None = context.get(process_of)
                    if process is not None:
                        if process.is_dead or process.is_paused:
                            process.park(ticket)
                            continue
                        process.steps += 1
                        if process.at_step and process.steps in process.at_step:
                            process.at_step.pop(process.steps)()
                            ready.appendleft(ticket)
                            continue
                    steps += 1
                    if steps > most:
                        raise NeverEnds(f"still going on after {steps} steps")
                    context.run(call, *arguments)
                if until():
                    return
                self.now = now = self._jump()
                while timers and timers[0][0] <= now:
                    ready.append(heappop(timers))
        finally:
            self.steps = steps

    def _jump(self) -> float:
        """The instant of the next timer."""
        timers = self._timers
        while timers and timers[0][2] is None:
            heappop(timers)
        if not timers:
            raise NeverEnds("everybody waits, and nothing is to come")
        now: float = timers[0][0]
        if now > self._max_seconds:
            raise NeverEnds(f"still going on after {self._max_seconds:g} virtual seconds")
        return now


def _close(task: SimTask[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio itself does
    coroutine = task.get_coro()
    for _ in range(8):
        with contextlib.suppress(BaseException):
            coroutine.close()
            return
