"""The parent's side of a run of several processes: children hired, watched, replaced, summed up.

Who dies is replaced: its claims are free at once, as we know that it is dead and hold the
campaign's lock, and what was past its mark is in doubt. Who does not answer dies in the end
(`vigil`). Connections and domain limits are divided (`sharing`), and so are the recipients of
a limited run (`seats`); rates need no dividing, they are in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence

from bulkmail.app.assembly import Surroundings
from bulkmail.app.processes.door import Porter
from bulkmail.app.processes.endings import combined
from bulkmail.app.processes.member import PATIENCE, Member
from bulkmail.app.processes.seats import Seat, Seats
from bulkmail.app.processes.task import Task
from bulkmail.app.processes.vigil import attended
from bulkmail.app.processes.words import Outfit, Word
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
        #: Of what each child tells of its servers: once is enough.
        self._told: set[str] = set()
        #: Of the run: another one has others.
        self._seats = Seats(0, None, self._clock)
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
        self._seats = Seats(self.size, task.settings.limit, self._clock)
        results = await self._round(task, [*self._seats])
        left, before = await _left(task), -1
        while (
            left
            and all(result.ending is Ending.DONE for result in results)
            and not self._seats.is_limited
            and before < (before := sum(self.tally.results.values()))
        ):
            # Deferred by who ended last, under a limit of a domain that others knew of.
            results = await self._round(task, [self._seats[0]])
            left = await _left(task)
        return combined(results, is_anybody_left=self._seats.is_open and bool(left))

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
                if self._seats.is_limited and not await self._seats.may_go_on(
                    seat, task.ledger, task.campaign_id
                ):
                    return RunResult(ending=Ending.LIMIT)
            elif result.ending is not Ending.LIMIT or not seat.left:
                self._seats.hand_over(seat)
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
            self._seats.look_at_clock()
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
        seat.member = member
        self._chorus.join(seat.number)
        limit = None if seat.limit is None else seat.left
        member.say("begin", task.part(seat.owner, limit))
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


async def _left(task: Task) -> int:
    """How many are still to be tried, now or later: who is in doubt, too, if not held back."""
    counts = await task.ledger.counts(task.campaign_id)
    held = await task.ledger.held(task.campaign_id)
    return counts.pending + counts.deferred + counts.in_doubt - held
