"""Several processes of one run: the program's own parent and children, on pipes of the simulation.

`Crew`, its `Member`s, `_Child`, `Door` and `Channel` are the program's. What is simulated: that a
process is started, its pipes, its end; what a child composes, and the way to a server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from simulation.process import PROCESS, Process

from bulkmail.app.assembly import Surroundings
from bulkmail.app.interrupts import Interrupts
from bulkmail.app.processes import child, crew, member
from bulkmail.app.processes.channel import Channel
from bulkmail.app.processes.member import Member
from bulkmail.app.processes.task import Task
from bulkmail.app.processes.words import Begin, Outfit
from bulkmail.campaign.load import Campaign
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import RunResult, RunSettings
from bulkmail.delivery.engine import Engine
from bulkmail.ledger import Ledger
from bulkmail.report.silence import Silence
from bulkmail.settings import RetrySettings

if TYPE_CHECKING:
    from simulation.sender import Sender

#: Seconds from one end of a pipe to the other, and until a process has started.
_PIPE = 0.0002
_START = 0.3
_KILLED = -9


@dataclass
class Family:
    """The processes of one run, but for the parent: `sender` is what runs in it."""

    sender: Sender
    #: Those that live, by number.
    living: dict[int, Child] = field(default_factory=dict)
    hired: int = 0
    owners: int = 0
    #: How many of them were killed.
    lost: int = 0
    #: Of a run with a limit, how many recipients each was given, by its process's name.
    given: Counter[str] = field(default_factory=Counter)

    async def run(self, ledger: Ledger, campaign_id: int, of: int) -> RunResult:
        """Send as the parent of `of` children."""
        sender = self.sender
        plan = sender.plan
        ledger.path = Path("ledger.db")
        hired = crew.Crew(
            _campaign(sender.campaign.name, sender.campaign.retry),
            {},
            _surroundings(sender.control),
            of=of,
            is_transcribed=False,
            is_verbose=False,
        )
        FAMILY.set(self)
        try:
            await hired.start()
            return await hired.run(
                Task(
                    campaign=_campaign(sender.campaign.name, sender.campaign.retry),
                    ledger=ledger,
                    campaign_id=campaign_id,
                    fingerprint="the same",
                    settings=RunSettings(limit=plan.limit, is_waiting=plan.is_waiting),
                    ignore_window=False,
                    listed=(),
                    suppressed=frozenset(),
                    transcript=None,
                    watch=Silence(),
                    display=Silence(),
                )
            )
        finally:
            await hired.close()


#: Whose process this is one of.
FAMILY: ContextVar[Family] = ContextVar("FAMILY")


class Pipe:
    """The end of a pipe that is written to; what is in it arrives, whoever dies."""

    def __init__(self, family: Family, reader: asyncio.StreamReader, writer: Process) -> None:
        self._loop = family.sender.machine.loop
        self._reader = reader
        self._is_closed = False
        writer.heirs.append(self.close)

    def write(self, octets: bytes) -> None:
        if not self._is_closed:
            self._later(self._reader.feed_data, octets)

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._later(self._reader.feed_eof)

    async def drain(self) -> None:
        """There is always room."""

    async def wait_closed(self) -> None:
        """It is at once."""

    def _later(self, call: Callable[..., None], *arguments: bytes) -> None:
        self._loop.call_later(_PIPE, call, *arguments, context=self._loop.world)


class Child:
    """A child as the parent's operating system has it; meets `asyncio.subprocess.Process`."""

    def __init__(self, family: Family, number: int) -> None:
        family.hired += 1
        run = family.sender.process
        self.pid = family.hired
        self.process = Process(f"{run.name}.{number}.{self.pid}", of=run)
        self.returncode: int | None = None
        self.stdin, self.stdout = asyncio.StreamReader(), asyncio.StreamReader()
        self.to_child = Pipe(family, self.stdin, run)
        to_parent = Pipe(family, self.stdout, self.process)
        self._ended = asyncio.Event()
        self._family, self._number = family, number
        self.process.heirs.append(self._died)
        family.living[number] = self
        family.sender.born(self.process)
        loop = family.sender.machine.loop
        task = self.process.context.run(loop.create_task, self._live(to_parent))
        task.add_done_callback(self._over, context=loop.world)

    def given(self, recipients: int) -> None:
        """It may try so many more."""
        self._family.given[self.process.name] += recipients

    async def wait(self) -> int:
        await self._ended.wait()
        return self.returncode or 0

    async def _live(self, to_parent: Pipe) -> int:
        await asyncio.sleep(_START)
        return await child._live(cast("int", self.stdin), cast("int", to_parent))

    def _over(self, task: asyncio.Task[int]) -> None:
        self.returncode = task.result()
        self.process.kill()

    def _died(self) -> None:
        if self.returncode is None:
            self.returncode = _KILLED
            self._family.lost += 1
        if self._family.living.get(self._number) is self:
            del self._family.living[self._number]
        self._ended.set()


class SimMember(Member):
    """A child of the simulation, as its parent has it."""

    _child: Child

    def say(self, *words: Any) -> None:
        match words:
            case ("begin", Begin(limit=int(count))) | ("grant", int(count)):
                self._child.given(count)
        super().say(*words)

    @property
    def is_at_disk(self) -> bool:
        """Nobody is: its number is no process of this machine."""
        return False

    @classmethod
    async def start(cls, outfit: Outfit) -> Member:
        started = Child(FAMILY.get(), outfit.number)
        writer = cast("asyncio.StreamWriter", started.to_child)
        made = cls(cast("asyncio.subprocess.Process", started), Channel(started.stdout, writer))
        made._child = started
        made.say("outfit", outfit)
        return made


@contextlib.contextmanager
def staged() -> Iterator[None]:
    """Have the program's parents and children live in the simulation."""
    inside: dict[str, Any] = {
        "_channel": _channel,
        "open_ledger": _open_ledger,
        "engine_for": _engine_for,
        "pools": lambda servers, *_, **how: FAMILY.get().sender.ends(servers, _here(), **how),
        "ways_of": lambda *_: FAMILY.get().sender.machine.settings,
        "domain_limits": lambda _: FAMILY.get().sender.machine.limits,
        "Keyring": SimpleNamespace(whole=lambda *_: None),
        "composer_of": lambda *_, **__: _Composer(),
        "opened_log": lambda *_: contextlib.nullcontext(),
        "LogWatch": lambda *_: FAMILY.get().sender.observer,
        "Surroundings": SimpleNamespace(ordinary=lambda _: _surroundings()),
        # Of a real process each: what is there by then would never be let go of in this one.
        "look_for_garbage": lambda: None,
        "let_the_ledger_hurry": lambda: None,
    }
    with (
        patch.multiple(child, **inside),
        patch.multiple(crew, Member=SimMember, uuid=SimpleNamespace(uuid4=_owner)),
        patch.object(member, "os", SimpleNamespace(kill=_kill)),
    ):
        yield


class _Composer:
    def fingerprint(self) -> str:
        return "the same"

    async def compose(self, *what: Any) -> Any:
        return await FAMILY.get().sender.compose(*what)


@contextlib.asynccontextmanager
async def _channel(heard: Any, said: Any) -> AsyncIterator[Channel]:
    channel = Channel(heard, said)
    try:
        yield channel
    finally:
        await channel.close()


async def _open_ledger(*_: Any) -> Ledger:
    return FAMILY.get().sender.open_ledger(_here())


def _engine_for(
    _: Any, ends: Any, surroundings: Surroundings, *, ledger: Any, **how: Any
) -> tuple[Engine, None]:
    made = FAMILY.get().sender.engine(
        ledger,
        ends,
        surroundings.control,
        how["settings"],
        limits=how["limits"],
        observer=surroundings.watch,
        verdicts=how["verdicts"],
        dice=Random(_here().name),
    )
    return made, None


def _here() -> Process:
    process = PROCESS.get()
    assert process is not None
    return process


def _owner() -> SimpleNamespace:
    family = FAMILY.get()
    family.owners += 1
    return SimpleNamespace(hex=f"{family.sender.process.name}, owner {family.owners}")


def _kill(pid: int, _: int) -> None:
    for one in FAMILY.get().living.values():
        if one.pid == pid:
            one.process.kill()
            return
    raise ProcessLookupError


def _surroundings(control: Control | None = None) -> Surroundings:
    clock = FAMILY.get().sender.machine.clock if control is None else control._clock
    control = control or Control(clock)
    watch = Silence()
    return Surroundings(
        clock=clock, control=control, watch=watch, interrupts=Interrupts(control, watch)
    )


def _campaign(name: str, retry: RetrySettings) -> Campaign:
    """What a parent and its children ask of one."""
    model = SimpleNamespace(
        retry=retry,
        on_doubt="resend" if retry.resend_on_doubt else "hold",
        stop_after=SimpleNamespace(in_a_row=25, share=0.5),
    )
    project = SimpleNamespace(ledger=None)
    return cast("Campaign", SimpleNamespace(name=name, model=model, project=project))
