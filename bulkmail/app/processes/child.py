"""A child: sends its share of a run that another process has enrolled, checked and locked.

It ends when its parent does, in whatever way: the pipe it listens to closes then, and it cuts its
connections as at a second signal. Signals themselves are the parent's to answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

from bulkmail.app.assembly import Surroundings, engine_for, pools
from bulkmail.app.channel import AnyComposer, composer_of, ways_of
from bulkmail.app.loop import let_the_ledger_hurry, look_for_garbage, loop_factory
from bulkmail.app.opening import open_ledger
from bulkmail.app.processes.channel import Channel, open_channel
from bulkmail.app.processes.door import Door
from bulkmail.app.processes.sharing import divided_limits, divided_servers, kept_back
from bulkmail.app.processes.telling import TellingTranscript, TellingVerdicts, TellingWatch
from bulkmail.app.processes.words import Begin, Outfit, Word
from bulkmail.app.suppressing import Suppressions
from bulkmail.app.verbosity import Modes
from bulkmail.delivery.ending import Ending, RunResult, RunSettings
from bulkmail.delivery.engine import Engine
from bulkmail.errors import AuthenticationFailed, BulkmailError, shortage
from bulkmail.ledger import Ledger
from bulkmail.message.keyring import Keyring
from bulkmail.report.log import LogWatch, opened_log
from bulkmail.report.silence import Silence
from bulkmail.settings import domain_limits, stop_settings
from bulkmail.transport.session import Session


def main() -> int:
    """The process: words come in by stdin, and go out by stdout. Its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    heard, said = os.dup(0), os.dup(1)
    # Whatever prints, prints to stderr; what a password command reads is not ours.
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_live(heard, said))


async def _live(heard: int, said: int) -> int:
    async with _channel(heard, said) as channel:
        first = await channel.hear()
        if first is None:
            return 0
        ((_, outfit),) = first
        look_for_garbage()
        let_the_ledger_hurry()
        try:
            await _Child(channel, outfit).run()
        except BulkmailError as error:
            channel.say("failed", error)
        except Exception as error:  # noqa: BLE001  # told to the parent, who ends the run by it
            fault = AssertionError(f"{type(error).__name__}: {error}")
            channel.say("failed", shortage(error) or fault)
    return 0


@contextlib.asynccontextmanager
async def _channel(heard: int, said: int) -> AsyncIterator[Channel]:
    channel = await open_channel(heard, said)
    try:
        yield channel
    finally:
        await channel.close()


class _Child:
    """One process's part of a run."""

    def __init__(self, channel: Channel, outfit: Outfit) -> None:
        self._channel = channel
        self._outfit = outfit
        self._campaign = outfit.campaign
        self._suppressions = Suppressions()
        self._door = Door(channel.say)
        self._surroundings = Surroundings.ordinary(Silence())
        self._begin: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self._engine: Engine | None = None
        self._has_engine = asyncio.Event()
        #: What the parent said and is not heeded yet.
        self._heard = asyncio.Queue[Word]()

    async def run(self) -> None:
        """Get ready, send when told to, and tell how it ended."""
        work = asyncio.create_task(self._work())
        listening = [asyncio.create_task(part) for part in (self._listen(work), self._heed_all())]
        await asyncio.wait([work])
        for part in listening:
            part.cancel()
        await asyncio.wait(listening)
        # Cut, by the parent or by its end: what is in doubt by it is in the ledger.
        cut = RunResult(ending=Ending.INTERRUPTED)
        result = cut if work.cancelled() else work.result()
        self._channel.say("over", result)

    async def _work(self) -> RunResult:
        keyring = Keyring.whole(self._campaign, self._outfit.environ)
        composer = composer_of(self._campaign, is_suppressed=self._suppressions, keyring=keyring)
        self._channel.say("ready", composer.fingerprint())
        begin = await self._begin
        self._suppressions.add(begin.suppressed)
        async with contextlib.AsyncExitStack() as stack:
            ledger = await open_ledger(
                begin.ledger, self._campaign.project.ledger, self._surroundings.clock
            )
            stack.push_async_callback(ledger.close)
            log = stack.enter_context(opened_log(begin.ledger.parent, begin.log_format))
            watch = TellingWatch(
                self._channel, LogWatch(log, self._campaign.name), is_summed=begin.is_summed
            )
            self._engine = self._engine_of(begin, composer, ledger, watch)
            self._has_engine.set()
            return await self._engine.run()

    def _engine_of(
        self, begin: Begin, composer: AnyComposer, ledger: Ledger, watch: TellingWatch
    ) -> Engine:
        number, of = self._outfit.number, self._outfit.of
        servers = ways_of(self._campaign, self._outfit.environ)
        transcript = TellingTranscript(self._channel, number, of)
        modes = Modes(partial(self._channel.say, "told"))

        async def opening(server: str, open_session: Callable[[], Awaitable[Session]]) -> Session:
            if self._outfit.is_verbose:
                open_session = partial(modes.opening, server, open_session)
            return await self._door.enter(server, open_session)

        made, _ = engine_for(
            self._campaign,
            pools(
                divided_servers(kept_back(servers, self._outfit.kept_back), number, of),
                self._surroundings.clock,
                transcript if self._outfit.is_transcribed else None,
                opening=opening,
            ),
            replace(self._surroundings, watch=watch),
            ledger=ledger.run(
                begin.campaign_id, owner=begin.owner, listed=begin.listed, has_siblings=True
            ),
            compose=composer.compose,
            settings=RunSettings(limit=begin.limit, is_waiting=begin.is_waiting),
            ignore_window=begin.ignore_window,
            limits=divided_limits(domain_limits(self._campaign), number, of),
            verdicts=partial(TellingVerdicts, self._channel, stop_settings(self._campaign)),
        )
        return made

    async def _listen(self, work: asyncio.Task[RunResult]) -> None:
        """Hear what the parent says, until it is gone; once cut, nothing matters any more.

        What it asks is answered at once, whatever is heeded meanwhile.
        """
        while (words := await self._channel.hear()) is not None:
            for word in words:
                if word[0] == "cut":
                    work.cancel()
                    return
                if word[0] == "ask":
                    self._channel.say("here")
                else:
                    self._heard.put_nowait(word)
        work.cancel()

    async def _heed_all(self) -> None:
        while True:
            await self._heed(await self._heard.get())

    async def _heed(self, word: Word) -> None:
        match word:
            case ("begin", Begin() as begin):
                self._begin.set_result(begin)
            case ("stop",):
                self._surroundings.control.stop()
            case ("grant", int(recipients)):
                (await self._made()).grant(recipients)
            case ("enter", str(server)):
                self._door.admit(server)
            case ("login refused", str(server), AuthenticationFailed() as error):
                self._door.refuse(server, error)
                await (await self._made()).retire(server, str(error), error.hint)
            case ("retire", str(server), str(sentence)):
                await (await self._made()).retire(server, sentence)

    async def _made(self) -> Engine:
        await self._has_engine.wait()
        if self._engine is None:
            raise AssertionError("there is an engine where it was said so")
        return self._engine
