"""The program in a process of the simulation: what `bulkmail send` puts together, on one ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from simulation.disk import Disk, SimDriver
from simulation.family import Family
from simulation.loop import VirtualLoop
from simulation.network import Network
from simulation.process import Process
from simulation.smtp_server import CLOSING
from simulation.story import CampaignPlan, RunPlan, address, copies, reverse_path

from bulkmail.app.assembly import End, Opening
from bulkmail.app.processes.sharing import how_many
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import Ending, RunResult, RunSettings
from bulkmail.delivery.engagement import Engagement, Tally
from bulkmail.delivery.engine import Engine
from bulkmail.delivery.gates import Gates
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Observer
from bulkmail.delivery.refusals import Verdicts
from bulkmail.delivery.retry import RetryPolicy
from bulkmail.errors import CampaignBusy, ProcessDied
from bulkmail.fate import Delivery
from bulkmail.ledger import Ledger, NewRow
from bulkmail.ledger.run import CampaignRun
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.message.message_id import message_id
from bulkmail.settings import DomainLimit, ServerSettings
from bulkmail.smtp.envelope import Envelope
from bulkmail.transport.password import Password
from bulkmail.transport.pool import SessionPool
from bulkmail.transport.session import Session
from bulkmail.transport.trust import Trust

#: The epoch at virtual time 0.
EPOCH = 1_800_000_000.0
#: Rows enrolled at once.
_BATCH = 20


class VirtualClock:
    """The loop's time as a `Clock`; the machine's time of day can be set."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        #: Seconds by which it was set, in sum.
        self.set_by = 0.0
        self.monotonic: Callable[[], float] = loop.time

    def time(self) -> float:
        return EPOCH + self._loop.now + self.set_by

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where processes run: what they share."""

    loop: VirtualLoop
    clock: VirtualClock
    disk: Disk
    network: Network
    settings: tuple[ServerSettings, ...]
    limits: tuple[DomainLimit, ...] = ()


class SimFile(SharedFile):
    """A file that is open from its second message on, as any other, and lies on no disk."""

    def opens(self) -> bool:
        is_known, self.is_known = self.is_known, True
        return is_known


class SimLedger(Ledger):
    """Tells its run how many were in doubt by who died."""

    run_of: Sender | None = None

    async def recover(self, campaign_id: int, **how: Any) -> int:
        doubts = await super().recover(campaign_id, **how)
        if self.run_of is not None and how.get("owner") and self.run_of.family:
            self.run_of.doubts_by_death = max(self.run_of.doubts_by_death, doubts)
        elif self.run_of is not None:
            self.run_of.doubts_found = doubts
        return doubts


@dataclass
class Sender:
    """One run of one campaign, from the lock to its end."""

    machine: Machine
    process: Process
    campaign: CampaignPlan
    plan: RunPlan
    observer: Observer
    dice: Random
    #: Whom it takes for dead, without asking for the lock: another machine's owner.
    takes_over: str | None = None
    ending: Ending | None = None
    #: Whether another run had the lock.
    was_busy: bool = False
    #: Whether it is between taking the lock and giving it up.
    holds_lock: bool = False
    #: Whether another run has the lock for certain.
    must_be_busy: bool = False
    #: How many rows an earlier run left in doubt, and one of its children that died, at most.
    doubts_found: int = 0
    doubts_by_death: int = 0
    #: Its children, where it has some; and what befalls the next of them at a step of its own.
    family: Family | None = None
    befalls_children: list[tuple[int, Callable[[Process], None]]] = field(default_factory=list)
    control: Control = field(init=False)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._clock = self.machine.clock
        self.control = Control(self._clock)
        #: What every eighth message carries: one for all of a run's processes.
        self._files = _files(self.campaign.file)

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end, and not died."""
        return self.task is not None and self.task.done()

    @property
    def processes(self) -> list[Process]:
        """All of the run that live: the parent first."""
        children = [child.process for child in self.family.living.values()] if self.family else []
        return [each for each in (self.process, *children) if not each.is_dead]

    def born(self, process: Process) -> None:
        """A child begins."""
        if self.befalls_children:
            step, befalls = self.befalls_children.pop(0)
            process.at_step[step] = partial(befalls, process)

    def start(self) -> asyncio.Task[None]:
        """Begin; the loop runs it."""
        loop = self.machine.loop
        self.task = self.process.context.run(loop.create_task, self._main())
        return self.task

    def interrupt(self) -> None:
        """A signal: the first one stops, the second one cuts."""
        if self.is_over or self.task is None or self.process.is_dead:
            return
        if self.control.is_stopping:
            self.task.cancel()
        else:
            self.control.stop()

    async def _main(self) -> None:
        ledger = self.open_ledger(self.process)
        ledger._held = self.machine.disk.held
        lock = ledger.lock(self.campaign.name)
        try:
            if self.takes_over is None:
                lock.acquire()
                self.process.heirs.append(lock.release)
                self.holds_lock = True
            await self._run(ledger)
        except CampaignBusy:
            self.was_busy = True
        except ProcessDied:
            # One child after the other was killed: it says so, and who is left waits.
            self.ending = Ending.WAITING
        except asyncio.CancelledError:
            self.ending = Ending.INTERRUPTED
        finally:
            self.holds_lock = False
            lock.release()
            await ledger.close()

    async def _run(self, ledger: Ledger) -> None:
        campaign_id = await self._enrol(ledger)
        retry = self.campaign.retry
        await ledger.recover(
            campaign_id,
            resend=retry.resend_on_doubt,
            due_at=self._clock.time() + retry.backoff[0],
            owner=self.takes_over,
        )
        self.ending = (await self._send(ledger, campaign_id)).ending

    async def _send(self, ledger: Ledger, campaign_id: int) -> RunResult:
        of = how_many(self.plan.processes, self.machine.settings, self.machine.limits)
        if of > 1:
            self.family = Family(self)
            return await self.family.run(ledger, campaign_id, of)
        settings = RunSettings(limit=self.plan.limit, is_waiting=self.plan.is_waiting)
        run = ledger.run(campaign_id, owner=self.process.name)
        ends = self.ends(self.machine.settings, self.process)
        return await self.engine(run, ends, self.control, settings).run()

    def engine(
        self,
        run: CampaignRun,
        ends: Iterable[End],
        control: Control,
        settings: RunSettings,
        *,
        limits: Sequence[DomainLimit] | None = None,
        observer: Observer | None = None,
        verdicts: Callable[[str], Verdicts | None] = lambda _: None,
        dice: Random | None = None,
    ) -> Engine:
        """The engine of a process of this run."""
        lanes = [
            Lane(
                pool,
                server,
                run,
                self._clock,
                is_patient=settings.is_waiting,
                verdicts=verdicts(server.name),
            )
            for server, pool in ends
        ]
        shared = Engagement(
            ledger=run,
            compose=self.compose,
            policy=RetryPolicy(self.campaign.retry, dice or self.dice),
            clock=self._clock,
            control=control,
            observer=observer or self.observer,
            shut_until=lambda _: None,
            tally=Tally(),
            gates=Gates(self.machine.limits if limits is None else limits),
        )
        return Engine(lanes, shared, settings)

    def ends(
        self, servers: Iterable[ServerSettings], process: Process, opening: Opening | None = None
    ) -> list[End]:
        """Servers, and the ways to them from a process of this run."""
        return [(server, self._pool(server, process, opening)) for server in servers]

    def _pool(
        self, server: ServerSettings, process: Process, opening: Opening | None
    ) -> SessionPool:
        opened: Callable[[], Awaitable[Session]] = partial(
            Session.open,
            server,
            clock=self._clock,
            password=Password(server),
            trust=Trust(),
            connect=self.machine.network.connector(process),
        )
        if opening is not None:
            opened = partial(opening, server.name, opened)
        return SessionPool(server, opened, clock=self._clock)

    def open_ledger(self, process: Process) -> SimLedger:
        """The ledger, as a process of this run has it open."""
        dice = self.dice if process is self.process else Random(process.name)
        driver = SimDriver(self.machine.disk, self.machine.loop, process, dice)
        ledger = SimLedger(driver, self._clock)
        ledger.run_of = self
        return ledger

    async def _enrol(self, ledger: Ledger) -> int:
        """Bring the list into the ledger, where no pass over it was complete."""
        plan = self.campaign
        record = await ledger.campaign(plan.name)
        if record is not None and record.list_sha256 is not None:
            await ledger.rejudge(record.id)
            return record.id
        if plan.suppressed:
            listed = [address(plan, n) for n in range(1, plan.suppressed + 1)]
            await ledger.suppression().add(listed, "listed")
        path = f"{plan.name}.yaml"
        enrolment = await ledger.begin(
            plan.name, path=path, key_column="email", from_domain="x.example"
        )
        rows = [_row(plan, number) for number in range(1, plan.rows + 1)]
        for start in range(0, len(rows), _BATCH):
            await enrolment.add(rows[start : start + _BATCH])
        await enrolment.complete(list_sha256="list")
        return enrolment.campaign_id

    async def compose(self, delivery: Delivery, instant: datetime) -> MailObject:
        """A message of the size the plan wants."""
        head = f"Subject: {self.campaign.name}\r\nMessage-ID: {delivery.message_id}\r\n\r\n"
        body = b".a dot, and a line\r\n" if delivery.row % 5 == 0 else b"hello\r\n"
        if delivery.row % 16 == 0:
            body *= 1 + self.campaign.large_body // len(body)
        files = self._files if delivery.row % 8 == 0 else ()
        return MailObject(
            envelope=Envelope(
                reverse_path(self.campaign, delivery.row),
                (delivery.address, *copies(self.campaign, delivery.row)),
            ),
            chunks=(head.encode(), body, *(file.body for file in files), CLOSING),
            message_id=delivery.message_id,
            files=files,
        )


def _files(octets: int) -> tuple[Enclosure, ...]:
    if not octets:
        return ()
    line = b"QUJD" * 19 + b"\r\n"
    body = line * (1 + octets // len(line))
    return (
        Enclosure(name="offer.pdf", size=octets, sha256="0" * 64, body=body, shared=SimFile(body)),
    )


def _row(campaign: CampaignPlan, number: int) -> NewRow:
    mailbox = address(campaign, number)
    return NewRow(
        row=number,
        key=mailbox,
        address=mailbox,
        domain=mailbox.rpartition("@")[2],
        fields={},
        message_id=message_id(campaign.name, mailbox, "x.example"),
    )
