"""The world of one seed: machine, network and servers, and the story that happens in it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from simulation.disk import Disk, SimDriver
from simulation.loop import NeverEnds, VirtualLoop
from simulation.network import Line, Network
from simulation.process import PROCESS, Process
from simulation.sender import Machine, Sender, VirtualClock
from simulation.smtp_server import Books
from simulation.story import Befalls, CampaignPlan, RunPlan, Story, Whom, address
from simulation.trace import Trace

from bulkmail.fate import Attempt, Delivery, State
from bulkmail.ledger import suppression
from bulkmail.settings import ServerSettings

#: A story is over in these, or does not end.
MAX_STEPS = 150_000
MAX_SECONDS = 5 * 86400.0
#: Seconds that a lease of 60 s has left at least, as it is renewed in time.
_KEPT = 40.0
#: Seconds for which a parent stops that was to watch over a child that hangs, and has none yet.
_BRIEFLY = 45.0


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The bytes of a MAIL, or for a domain of a RCPT behind it, were handed over."""

    #: Virtual seconds: time that went by.
    at: float
    #: The same instant by the clock of the sender, which can be set.
    by_clock: float


@dataclass(frozen=True, slots=True)
class Busy:
    """A connection had a message for a domain: from its RCPT to its end of data, at least."""

    begin: float
    end: float
    line: int


@dataclass(slots=True)
class Due:
    """When somebody is due, as the engine has said."""

    #: By the clock.
    at: float
    #: By time that went by. A clock that was set back by hours does not put it off by hours.
    after: float
    #: Whether the clock was set back since: a run may have dated the wait anew.
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that did not hold."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


class World:
    """Runs a story. Afterwards it is what the invariants are held against."""

    def __init__(self, story: Story, trace: Trace) -> None:
        self.story = story
        self.trace = trace
        self.loop = VirtualLoop(max_steps=MAX_STEPS, max_seconds=MAX_SECONDS)
        cuts = any(run.befalls is Befalls.POWER_CUT for run in story.runs)
        self.disk = Disk(may_lose_power=cuts)
        self.disk.committed = partial(self._count, "commit")
        self._dice = Random(f"world {story.seed}")
        self.network = Network(self.loop, Random(f"network {story.seed}"), self)
        self.clock = VirtualClock(self.loop)
        #: The latest time of day that the clock ever showed.
        self._latest = 0.0
        self._machine = Machine(
            loop=self.loop,
            clock=self.clock,
            disk=self.disk,
            network=self.network,
            settings=story.settings,
            limits=story.limits,
        )
        for settings, temper in zip(story.settings, story.tempers, strict=True):
            self.network.hosts[settings.host] = Books(settings.name, temper, told=self.took)
        #: Messages that were handed over, by server, and recipients of theirs, by domain.
        self.handed_over: dict[str, list[HandedOver]] = defaultdict(list)
        self.to_domains: dict[str, list[HandedOver]] = defaultdict(list)
        #: Of each run and domain, the connections that had a message for it.
        self.busy: dict[tuple[str, str], list[Busy]] = defaultdict(list)
        #: Of each run, whom it tried, as its own report has it.
        self.tried: dict[str, set[str]] = defaultdict(set)
        #: The same of each process of it.
        self.tried_by: dict[str, set[str]] = defaultdict(set)
        self.senders: list[Sender] = []
        #: What broke while the story happened.
        self.broken: list[Broken] = []
        #: When a delivery is due, by recipient.
        self._due: dict[str, Due] = {}
        #: Processes that run.
        self._going: set[str] = set()
        #: Those that were taken over: they may speak to a server, and are stopped by their marks.
        self._fenced: set[str] = set()
        self._awaited: dict[tuple[str, int], Callable[[], None]] = {}
        self._counts: Counter[str] = Counter()
        #: Open ones, by run and server, and how many there may be.
        self._connections: Counter[tuple[str, str]] = Counter()
        self._most_connections = {each.name: each.connections for each in story.settings}

    @property
    def books(self) -> list[Books]:
        """Of all servers."""
        return list(self.network.hosts.values())

    def is_fenced(self, sender: Sender) -> bool:
        """Whether it was taken over while it was paused."""
        return sender.process.name in self._fenced

    def happen(self) -> None:
        """The whole story."""
        for seconds, by in self.story.settings_of_clock:
            self._in(seconds, partial(self._set_clock, by))
        for fault, is_there in (
            ("limits by domain", self.story.limits),
            ("cc and bcc", self.story.campaign.has_copies),
            ("two quotas", any(_quotas(each) > 1 for each in self.story.settings)),
        ):
            self.trace.faults[fault] += bool(is_there)
        try:
            for number, plan in enumerate(self.story.runs, start=1):
                self._run(number, plan)
                self._pass(plan.gap)
            # Who lost its parent ends by itself, and no run waits for it.
            self.loop.run(lambda: not any(s.family and s.family.living for s in self.senders))
        except NeverEnds as error:
            self._break("it ends", str(error))

    def close(self) -> None:
        """Let go of everything."""
        self.loop.dispose()
        self.disk.close()

    # What happens.

    def _run(self, number: int, plan: RunPlan) -> None:
        self._counts.clear()
        self._awaited.clear()
        sender = self._sender(f"run{number}", self.story.campaign, plan)
        if plan.befalls is not Befalls.NOTHING:
            misfortune = partial(self._befall, sender)
            if plan.processes > 1 and plan.moment.kind == "step":
                step = 1 + plan.moment.number // plan.processes
                sender.befalls_children.append((step, misfortune))
            elif plan.moment.kind == "step":
                sender.process.at_step[plan.moment.number] = misfortune
            else:
                self._awaited[plan.moment.kind, plan.moment.number] = misfortune
        sender.befalls_children += [(step, self._die) for step in plan.deaths]
        if plan.processes > 1:
            self.trace.faults["several processes"] += 1
        if plan.rival_after is not None:
            self._in(plan.rival_after, partial(self._rival, sender))
        if plan.suppressing:
            self._in(0.5, partial(self._suppress, plan.suppressing))
        if number == 1 and self.story.neighbour is not None:
            self.trace.faults["another campaign"] += 1
            self._sender("neighbour", self.story.neighbour, RunPlan())
        self.loop.run(self._is_quiet)

    def _is_quiet(self) -> bool:
        return not self._going

    def _pass(self, seconds: float) -> None:
        end = self.loop.now + seconds
        self.loop.call_at(end, lambda: None, context=self.loop.world)
        self.loop.run(lambda: self.loop.now >= end)

    def _sender(
        self, name: str, campaign: CampaignPlan, plan: RunPlan, takes_over: str | None = None
    ) -> Sender:
        sender = Sender(
            machine=self._machine,
            process=Process(name),
            campaign=campaign,
            plan=plan,
            observer=self,
            dice=Random(f"{name} {self.story.seed}"),
            takes_over=takes_over,
        )
        self.senders.append(sender)
        self._note("starts", name)
        self._going.add(name)
        gone = partial(self._going.discard, name)
        sender.process.heirs.append(gone)
        sender.start().add_done_callback(lambda _: gone(), context=self.loop.world)
        return sender

    def _befall(self, sender: Sender, child: Process | None = None) -> None:
        if sender.is_over or sender.process.is_dead:
            return
        plan = sender.plan
        self.trace.faults[plan.befalls.value] += 1
        self._note(plan.befalls.value, sender.process.name, sender.process.steps)
        match plan.befalls:
            case Befalls.KILL:
                for process in self._struck(sender, child):
                    process.kill()
                if sender.process not in sender.processes:
                    self._fenced.update(orphan.name for orphan in sender.processes)
            case Befalls.POWER_CUT:
                self._cut_power()
            case Befalls.INTERRUPT | Befalls.CUT:
                self._soon(sender.interrupt)
                if plan.befalls is Befalls.CUT:
                    self._in(plan.seconds, sender.interrupt)
            case Befalls.PAUSE | Befalls.TAKEOVER:
                self._pause(sender, child)

    def _struck(self, sender: Sender, child: Process | None) -> list[Process]:
        """Who of a run is killed or paused: itself, where it has no children."""
        parent, *children = sender.processes
        if not children or sender.plan.whom is Whom.ALL:
            return [parent, *children]
        if sender.plan.whom is Whom.PARENT:
            self.trace.faults["parent killed"] += 1
            return [parent]
        hangs = sender.plan.seconds == math.inf
        self.trace.faults["child: hangs" if hangs else f"child: {sender.plan.befalls.value}"] += 1
        return [child or self._dice.choice(children)]

    def _die(self, child: Process) -> None:
        self.trace.faults["child: kill"] += 1
        self._note("dies", child.name)
        child.kill()

    def _pause(self, sender: Sender, child: Process | None) -> None:
        plan = sender.plan
        struck = self._struck(sender, child)
        # A parent that has no children yet stops alone, and nobody watches it.
        later = _BRIEFLY if plan.seconds == math.inf and sender.process in struck else plan.seconds
        if plan.befalls is Befalls.TAKEOVER:
            # A child's siblings take its claims over; nobody is as free to in place of a family.
            if sender.family is None:
                self._in(plan.seconds, partial(self._take_over, sender))
            later += self._dice.choice((0.1, 2.0, 60.0))
        for process in struck:
            process.is_paused = True
            if sender.family is not None:
                self._fenced.add(process.name)
            if later < math.inf:
                self._in(later, partial(self.loop.resume, process))

    def _cut_power(self) -> None:
        for sender in self.senders:
            for process in sender.processes:
                process.kill()
        self.disk.lose_power(self._dice)

    def _take_over(self, sender: Sender) -> None:
        name = f"{sender.process.name} taken over"
        self._fenced.add(sender.process.name)
        self._sender(name, sender.campaign, RunPlan(), takes_over=sender.process.name)

    def _rival(self, sender: Sender) -> None:
        if sender.is_over or sender.process.is_dead:
            return
        self.trace.faults["a second run"] += 1
        rival = self._sender(f"rival of {sender.process.name}", sender.campaign, RunPlan())
        rival.must_be_busy = sender.holds_lock

    def _set_clock(self, by: float) -> None:
        self.trace.faults["clock set back" if by < 0 else "clock set forward"] += 1
        self._latest = max(self._latest, self.clock.time())
        self.clock.set_by += by
        for due in self._due.values():
            if by < 0:
                due.is_behind = True
            elif due.is_behind:
                # A wait that was dated anew is shorter by that.
                due.after -= by
        self._note("clock set", by)
        if by > _KEPT:
            # By that clock leases are run out: siblings take one another's claims.
            for sender in self.senders:
                if sender.family is not None:
                    self._fenced.update(process.name for process in sender.processes)

    def _suppress(self, count: int) -> None:
        """`bulkmail suppress add`, in a process of its own."""
        self.trace.faults["suppressed meanwhile"] += 1
        campaign = self.story.campaign
        listed = [address(campaign, campaign.rows - n) for n in range(count)]
        process = Process("suppress")
        driver = SimDriver(self.disk, self.loop, process, self._dice)
        now = self.clock.time()
        process.context.run(
            driver.submit, lambda db: suppression.add(db, addresses=listed, reason="no", now=now)
        )

    # What is seen.

    def wrote(self, process: Process, server: str, octets: bytes) -> None:
        """A process handed bytes to its connection."""
        self._note("wrote", process.name, server, len(octets))

    def connected(self, process: Process, server: str, change: int) -> None:
        """A process has one connection more, or less."""
        self._connections[process.run, server] += change
        most = self._most_connections[server]
        if (has := self._connections[process.run, server]) > most:
            self._break("no more connections than wanted", f"{process.run}: {has} of {most}")

    def said(self, process: Process, line: Line, kind: str, what: str) -> None:
        """A process said something on a connection."""
        match kind:
            case "mail":
                line.domains.clear()
                line.mail_at, line.mail_by_clock = self.loop.now, self.clock.time()
                self.handed_over[line.server].append(self._handed_over(line))
                self._count("mail")
            case "rcpt":
                self._note("rcpt", process.name, what)
                line.domains.setdefault(what.rpartition("@")[2], self.loop.now)
                self.to_domains[what.rpartition("@")[2]].append(self._handed_over(line))
                if process.name not in self._fenced:
                    self._is_due(what)
            case "quit":
                pass
            case _:
                for domain, since in line.domains.items():
                    busy = Busy(since, self.loop.now, id(line))
                    self.busy[process.run, domain].append(busy)
                line.domains.clear()
                self._count("dot")

    @staticmethod
    def _handed_over(line: Line) -> HandedOver:
        """A limit counts when MAIL is handed over, whenever its RCPT follow."""
        return HandedOver(line.mail_at, line.mail_by_clock)

    def all_attempted(self, tried: Sequence[tuple[Delivery, Attempt]]) -> None:
        """The engine recorded a batch of tries."""
        for delivery, attempt in tried:
            self.attempted(delivery, attempt)

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """The engine recorded a try."""
        self._note("attempt", delivery.key, attempt.state.value, attempt.reason)
        if (process := PROCESS.get()) is not None and attempt.state is not State.PENDING:
            self.tried[process.run].add(delivery.address)
            self.tried_by[process.name].add(delivery.address)
        if attempt.due_at is not None:
            # The clock may have been set since its reply came: then the wait is what was written.
            wait = attempt.due_at - max(attempt.at, self.clock.time())
            self._due[delivery.address] = Due(attempt.due_at, self.loop.now + wait)
        retry = self.campaign_of(delivery.address).retry
        first = delivery.attempted_since or (attempt.started_at if attempt.is_counted else None)
        due_at = attempt.due_at if attempt.state is State.DEFERRED else None
        if first is not None and due_at is not None and due_at > first + retry.give_up_after:
            self._break("nobody is tried for ever", f"{delivery.key} is due after its time")

    def waiting(self, sentence: str, until: float | None) -> None:
        """The engine waits."""

    def server_changed(self, server: str, sentence: str) -> None:
        """A server rests."""
        self._note("server", server, sentence)

    def took(self, server: str) -> None:
        """A server took a message."""
        self._note("taken", server)
        self._count("taken")

    def campaign_of(self, mailbox: str) -> CampaignPlan:
        """Whose row an address is."""
        neighbour = self.story.neighbour
        if neighbour is not None and mailbox.startswith(neighbour.name):
            return neighbour
        return self.story.campaign

    def _is_due(self, mailbox: str) -> None:
        due = self._due.pop(mailbox, None)
        now = max(self._latest, self.clock.time())
        if due is not None and now < due.at - 1e-6 and self.loop.now < due.after - 1e-6:
            self._break("nobody is tried too soon", f"{mailbox} at {now:.6f}, before {due.at:.6f}")

    def _count(self, kind: str) -> None:
        self._note(kind)
        if self._awaited:
            self._counts[kind] += 1
            if happens := self._awaited.pop((kind, self._counts[kind]), None):
                happens()

    def _note(self, *facts: object) -> None:
        self.trace.note((self.loop.now, facts))

    def _break(self, invariant: str, what: str) -> None:
        self.broken.append(Broken(invariant, what))

    def _in(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.call_later(seconds, call, context=self.loop.world)

    def _soon(self, call: Callable[[], None]) -> None:
        self.loop.call_soon(call, context=self.loop.world)


def _quotas(settings: ServerSettings) -> int:
    return sum(not rate.is_pace for rate in settings.rates)
