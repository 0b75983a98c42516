"""The parent's side of a run of several processes: children hired, watched, replaced, summed up.

Who dies is replaced: its claims are free at once, as we know that it is dead and hold the
campaign's lock, and what was past its mark is in doubt. Who does not answer dies in the end
(`vigil`). Connections, recipients of a limited run and domain limits are divided (`sharing`); rates
need no dividing, they are in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bulkmail.app.assembly import Surroundings
from bulkmail.app.processes.door import Porter
from bulkmail.app.processes.endings import combined
from bulkmail.app.processes.member import PATIENCE, Member
from bulkmail.app.processes.sharing import share
from bulkmail.app.processes.task import Task
from bulkmail.app.processes.vigil import attended
from bulkmail.app.processes.words import Begin, Outfit, Word
from bulkmail.app.watch import Chorus, Counting
from bulkmail.campaign.load import Campaign
from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.delivery.refusals import Refusals
from bulkmail.delivery.worker import Tally
from bulkmail.errors import ConfigurationError, ProcessDied
from bulkmail.report.wording import counted
from bulkmail.settings import retry_settings, stop_settings

#: Deaths in a row, nothing having been sent between, after which no other child is started.
DEATHS = 3

CHANGED = RunResult(
    ending=Ending.WAITING,
    sentence="templates or files of the campaign changed while this run began: run it again",
)


@dataclass(slots=True)
class Seat:
    """One child's place in the run, whoever sits in it."""

    number: int
    #: At most so many recipients; None is all.
    limit: int | None
    owner: str = ""
    #: Recipients it tried, as far as is known, and of those before it in this seat.
    tried: set[int] = field(default_factory=set)
    deaths: int = 0
    #: None: it is not sending, or no more.
    member: Member | None = None

    @property
    def left(self) -> int:
        """How many more it may try, at most."""
        return 0 if self.limit is None else max(0, self.limit - len(self.tried))


class Crew:
    """The children of one run."""

    def __init__(
        self,
        campaign: Campaign,
        environ: Mapping[str, str],
        surroundings: Surroundings,
        *,
        of: int,
        kept_back: int = 0,
        is_transcribed: bool,
        is_verbose: bool,
    ) -> None:
        """`kept_back`: how many connections of each server are not theirs."""
        self._outfits = [
            Outfit(
                campaign=campaign,
                environ=dict(environ),
                number=number,
                of=of,
                kept_back=kept_back,
                is_transcribed=is_transcribed,
                is_verbose=is_verbose,
            )
            for number in range(of)
        ]
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._chorus = Chorus(surroundings.watch)
        self._porter = Porter(self._tell)
        self._refusals: dict[str, Refusals] = {}
        #: Servers that are out of use, and why.
        self._retired: dict[str, str] = {}
        self._ready: dict[int, Member] = {}
        self._seats: list[Seat] = []
        #: Of what each child tells of its servers: once is enough.
        self._told: set[str] = set()
        #: When the run began, and the earliest that the wall's clock has shown: it may be set.
        self._began_at, self._earliest_at = 0.0, 0.0
        #: When it was last looked at, by the clock that nobody sets.
        self._looked = 0.0
        self.tally = Tally()

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self._outfits)

    async def start(self) -> None:
        """Start the children, who get ready meanwhile. Raises `ShortOfResources`."""
        for outfit in self._outfits:
            nursery = self._surroundings.nursery
            born = None if nursery is None else nursery.take()
            self._ready[outfit.number] = await (
                Member.start(outfit) if born is None else Member.born(born, outfit)
            )

    async def close(self) -> None:
        """End those that were started and not used."""
        for member in self._ready.values():
            await member.dismiss()
        self._ready.clear()

    async def run(self, task: Task) -> RunResult:
        """Send until the run is over, as `Engine.run` does; what it raises, this does."""
        self._chorus = Chorus(task.watch)
        self._began_at = self._earliest_at = self._clock.time()
        self._looked = self._clock.monotonic()
        of, limit = len(self._outfits), task.settings.limit
        self._seats = [
            Seat(number, None if limit is None else share(limit, number, of))
            for number in range(of)
        ]
        results = await self._round(task, self._seats)
        left, before = await _left(task), -1
        while (
            left
            and all(result.ending is Ending.DONE for result in results)
            and task.settings.limit is None
            and before < (before := sum(self.tally.results.values()))
        ):
            # Deferred by who ended last, under a limit of a domain that others knew of.
            results = await self._round(task, self._seats[:1])
            left = await _left(task)
        is_open = task.settings.limit is None or any(seat.left for seat in self._seats)
        return combined(results, is_anybody_left=is_open and bool(left))

    async def _round(self, task: Task, seats: Sequence[Seat]) -> list[RunResult]:
        try:
            async with asyncio.TaskGroup() as tasks:
                stopping = tasks.create_task(self._pass_on_stop())
                working = [tasks.create_task(self._fill(seat, task)) for seat in seats]
                await asyncio.wait(working)
                stopping.cancel()
        except BaseExceptionGroup as group:
            cause: BaseException = group
            while isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]
            raise cause from None
        return [task.result() for task in working]

    async def _pass_on_stop(self) -> None:
        control = self._surroundings.control
        while not control.is_stopping:
            control.listen()
            if not control.is_stopping:
                await control.news()
        for seat in self._seats:
            if seat.member is not None:
                seat.member.say("stop")

    async def _fill(self, seat: Seat, task: Task) -> RunResult:
        """Have somebody in a seat until its work is done."""
        while True:
            member = self._ready.pop(seat.number, None)
            member = member or await Member.start(self._outfits[seat.number])
            seat.owner = uuid.uuid4().hex
            result = await self._serve(seat, member, task)
            if result is None:
                status = await member.ended()
                await self._bury(seat, status, task)
                if task.settings.limit is not None and not await self._may_go_on(seat, task):
                    return RunResult(ending=Ending.LIMIT)
            elif result.ending is not Ending.LIMIT or not seat.left:
                self._hand_over(seat)
                return result

    async def _serve(self, seat: Seat, member: Member, task: Task) -> RunResult | None:
        """Listen to a child to its end; None: it died before it was done."""
        try:
            async with attended(member, self._clock, task.watch.announce):
                return await self._listen(seat, member, task)
        except BaseException:
            member.say("cut")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._listen(seat, member, task)
            raise
        finally:
            seat.member = None
            self._porter.forget(seat.number)
            self._chorus.leave(seat.number)
            await member.dismiss()

    async def _listen(self, seat: Seat, member: Member, task: Task) -> RunResult | None:
        result: RunResult | None = None
        while (words := await member.hear()) is not None:
            self._look_at_clock()
            for word in words:
                match word:
                    case ("ready", str(fingerprint)):
                        if refused := self._begin(seat, member, task, fingerprint):
                            return refused
                    case ("over", RunResult() as ended):
                        result = ended
                    case ("failed", ConfigurationError()) if seat.member is None:
                        return CHANGED  # what was checked cannot be compiled any more
                    case ("failed", Exception() as error):
                        raise error
                    case _:
                        self._heed(seat, word, task)
        return result

    def _begin(self, seat: Seat, member: Member, task: Task, fingerprint: str) -> RunResult | None:
        """Let a child that is ready begin; or the reason why it is not to."""
        if fingerprint != task.fingerprint:
            return CHANGED
        if self._surroundings.control.is_stopping:
            return RunResult(ending=Ending.INTERRUPTED)
        begin = Begin(
            ledger=_path(task),
            log_format=task.log_format,
            campaign_id=task.campaign_id,
            owner=seat.owner,
            limit=None if seat.limit is None else seat.left,
            is_summed=seat.limit is None and isinstance(task.display, Counting),
            is_waiting=task.settings.is_waiting,
            ignore_window=task.ignore_window,
            listed=task.listed,
            suppressed=task.suppressed,
        )
        seat.member = member
        self._chorus.join(seat.number)
        member.say("begin", begin)
        for server, error in self._porter.refusals().items():
            member.say("login refused", server, error)
        for server, sentence in self._retired.items():
            member.say("retire", server, sentence)
        return None

    def _heed(self, seat: Seat, word: Word, task: Task) -> None:
        match word:
            case ("attempted", delivery, attempt):
                seat.deaths = 0
                if seat.limit is not None and attempt.state != "pending":
                    seat.tried.add(delivery.id)
                self.tally.book(attempt)
                task.display.attempted(delivery, attempt)
            case ("counted", counted):
                for event, times in counted:
                    self._count(seat, event, times, task)
            case ("waiting", sentence, until):
                self._chorus.waiting(seat.number, sentence, until)
            case ("server", server, sentence):
                self._chorus.server_changed(seat.number, server, sentence)
            case ("line", connection, text) if task.transcript is not None:
                task.transcript.say(connection, text)
            case ("told", sentence) if sentence not in self._told:
                self._told.add(sentence)
                task.watch.announce(sentence)
            case _:
                self._judge(seat, word, task)

    def _judge(self, seat: Seat, word: Word, task: Task) -> None:
        """What one child learns of a server and all have to heed."""
        match word:
            case ("refused", server, sentence):
                if end := self._refusals_of(server, task).refused(sentence):
                    self._retired[server] = end
                    self._tell_all("retire", server, end)
            case _ if self._porter.answer(seat.number, word) and word[0] == "login refused":
                self._tell_all(*word, but=seat.number)

    def _count(self, seat: Seat, event: Word, times: int, task: Task) -> None:
        """Something happened so often."""
        match event:
            case ("tried", before, after) if isinstance(task.display, Counting):
                seat.deaths = 0
                self.tally.count(after, times)
                task.display.counted(before, after, times)
            case ("taken", server):
                self._refusals_of(server, task).accepted(times)

    def _refusals_of(self, server: str, task: Task) -> Refusals:
        return self._refusals.setdefault(server, Refusals(stop_settings(task.campaign)))

    def _tell(self, number: int, *words: object) -> None:
        if (member := self._seats[number].member) is not None:
            member.say(*words)

    def _tell_all(self, *words: object, but: int | None = None) -> None:
        for seat in self._seats:
            if seat.number != but:
                self._tell(seat.number, *words)

    def _hand_over(self, seat: Seat) -> None:
        """What a child that has ended may still try of a limited run, another one may."""
        if not seat.left:
            return
        for other in self._seats:
            if other is not seat and other.member is not None and other.limit is not None:
                left, seat.limit = seat.left, len(seat.tried)
                other.limit += left
                other.member.say("grant", left)
                return

    async def _bury(self, seat: Seat, status: int, task: Task) -> None:
        """Free what a dead child had claimed, and say so. Raises `ProcessDied` when too many do."""
        retry = retry_settings(task.campaign)
        due_at = self._clock.time() + retry.backoff[0]
        doubts = await task.ledger.recover(
            task.campaign_id, resend=retry.resend_on_doubt, due_at=due_at, owner=seat.owner
        )
        how = f"was killed (signal {-status})" if status < 0 else f"ended (status {status})"
        seat.deaths += 1
        if seat.deaths >= DEATHS:
            raise ProcessDied(
                f"a process of this run {how}, and those in its place did: run it again, "
                "with fewer --processes if memory is short"
            )
        lost = f"{counted(doubts, 'recipient')} in doubt by it" if doubts else "nobody in doubt"
        task.watch.announce(f"A process of this run {how}, {lost}. Another one takes its place.")

    async def _may_go_on(self, seat: Seat, task: Task) -> bool:
        """Let who replaces a dead child of a limited run try what surely was not tried."""
        self._look_at_clock()
        tried = await task.ledger.tried_since(task.campaign_id, self._since)
        others = sum(other.left for other in self._seats if other is not seat)
        seat.tried.clear()
        seat.limit = min(seat.limit or 0, max(0, (task.settings.limit or 0) - tried - others))
        return seat.limit > 0

    @property
    def _since(self) -> float:
        """The earliest instant that a try of this run can be dated by.

        Somebody of an earlier run may have been tried behind it, where the clock was set back.
        """
        return self._earliest_at

    def _look_at_clock(self) -> None:
        """Notice that it was set back, however often it was set to and fro by now."""
        now, looked = self._clock.time(), self._clock.monotonic()
        self._earliest_at = min(self._earliest_at, now - (looked - self._looked))
        self._looked = looked


def _path(task: Task) -> Path:
    if task.ledger.path is None:
        raise AssertionError("a ledger that processes share is a file")
    return task.ledger.path


async def _left(task: Task) -> int:
    """How many are still to be tried, now or later: who is in doubt, too, if not held back."""
    counts = await task.ledger.counts(task.campaign_id)
    held = await task.ledger.held(task.campaign_id)
    return counts.pending + counts.deferred + counts.in_doubt - held
