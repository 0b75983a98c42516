"""A process of the simulation: what it runs can be killed or paused as a whole."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.loop import Ticket

#: Whose step this is. Tasks and callbacks take it over from who makes them, as contexts do.
PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)


class Process:
    """Everything that began in its context belongs to it.

    Dead, none of its steps is run any more: the loop drops them. Paused, they wait.
    """

    def __init__(self, name: str, *, of: Process | None = None) -> None:
        """`of`: whose child it is, of one run."""
        self.name = name
        #: The run it is of.
        self.run: str = name if of is None else of.run
        self.is_dead = False
        self.is_paused = False
        #: Steps run so far: from one await to the next, each is one.
        self.steps = 0
        #: What happens before the step of that number, in place of it where the process dies.
        self.at_step: dict[int, Callable[[], None]] = {}
        #: Steps that wait for the end of the pause.
        self.parked: list[Ticket] = []
        #: Called when it dies: the kernel closes its connections and drops its locks.
        self.heirs: list[Callable[[], None]] = []
        self.context: Context = copy_context()
        self.context.run(PROCESS.set, self)

    def __repr__(self) -> str:
        return f"<Process {self.name}, {self.steps} steps{', dead' if self.is_dead else ''}>"

    def park(self, ticket: Ticket) -> None:
        """Keep a step for the end of the pause."""
        if not self.is_dead:
            self.parked.append(ticket)

    def kill(self) -> None:
        """SIGKILL: nothing after this step runs."""
        if self.is_dead:
            return
        self.is_dead = True
        self.parked.clear()
        for bequeath in self.heirs:
            bequeath()
        self.heirs.clear()
