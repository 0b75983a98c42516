"""The conversation: a dialogue held over a stream, in time.

`say` hands commands over and returns at once; `hear` waits for the next reply, whichever command
it answers. What is said ahead and when it is heard is the caller's business, so that one group,
lockstep, or a next envelope behind a final dot are all the same two verbs.

Waiting is under the deadline of the oldest outstanding command, which begins when it became the
oldest: a server that drips bytes does not extend it. Whatever ends a wait early (the deadline, a
cancellation) cuts the connection, as the late reply would answer the next command.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from ssl import SSLContext
from typing import NoReturn

from bulkmail.errors import ConnectionLost, PlaintextInjected, ProtocolViolation, SessionError
from bulkmail.smtp.commands import Command, EndOfData, Quit
from bulkmail.smtp.dialogue import Dialogue, Exchange
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import TRANSITIONS
from bulkmail.transport.blocks import blocks
from bulkmail.transport.mask import Mask
from bulkmail.transport.stream import Bytes, Stream
from bulkmail.transport.transcript import Scribe


def _nothing() -> Sequence[Command]:
    """Nothing rides behind the dot."""
    return ()


def _violation(what: str, reply: Reply) -> ProtocolViolation:
    return ProtocolViolation(what, code=reply.code, reply=reply.text)


class Conversation:
    """A dialogue over a stream. Every `SessionError` it raises names host and stage."""

    def __init__(
        self,
        stream: Stream,
        host: str,
        timeout_of: Callable[[Stage], float],
        scribe: Scribe | None = None,
        *,
        is_tls: bool = False,
    ) -> None:
        #: ``host:port``, for people.
        self.host = host
        self.dialogue = Dialogue(is_tls=is_tls)
        self.stream = stream
        #: Hides what is secret in the replies to AUTH.
        self.mask = Mask()
        self._timeout_of = timeout_of
        self._scribe = scribe
        self._heard: deque[Exchange] = deque()
        #: Octets handed to the stream by `say`, `pour` and `post`.
        self._written = 0
        #: Why there is no more to be said or heard; "" while there is.
        self._end = ""
        #: The final dot while it was not handed over; b"" outside content.
        self._dot = b""
        self._loop = asyncio.get_running_loop()
        #: When the oldest outstanding command became the oldest, in the loop's time.
        self._since = self._loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether a transaction may begin: nothing owed, nothing stray, the connection stands."""
        if self._end:
            return False
        with contextlib.suppress(SessionError):
            self._listen(Stage.MAIL)
        return self.dialogue.is_idle and not self._heard and not self.stream.has_ended

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said, as far as is known."""
        dialogue = self.dialogue
        is_ended = dialogue.farewell is not None or dialogue.violation is not None
        return bool(self._end) or is_ended or self.stream.has_ended

    @property
    def stage(self) -> Stage:
        """The step we are in: the oldest outstanding command's.

        The end of data begins when the final dot is handed over; content before it is DATA's.
        """
        return Stage.DATA if self._dot else self._oldest_stage

    def say(self, *commands: Command) -> None:
        """Hand commands over in one write.

        Raises `MessageRefusedLocally` where one cannot be encoded, and then none was sent;
        `SessionError` where the session is over.
        """
        for command in commands:
            command.encode()
        stage = commands[0].stage
        self._insist(stage)
        if not self.dialogue.outstanding:
            self._listen(stage)
            self._since = self._loop.time()
        with self._guarded(stage):
            if self.stream.has_ended and self.dialogue.farewell is None:
                raise self._closed()
            lines = [self.dialogue.send(command) for command in commands]
            self._written += sum(map(len, lines))
            self.stream.write(lines)
        if self._scribe is not None:
            self._scribe.sent(commands)

    async def hear(self) -> Exchange:
        """The next reply, with the command that it answers.

        Raises `SessionError` where there will be none; the connection is cut then, as it is on a
        cancellation.
        """
        while not self._heard:
            stage = self.stage
            self._insist(stage)
            with self._guarded(stage):
                self._take(await self.stream.read(stage, self._deadline))
        return self._heard.popleft()

    async def exchange(self, command: Command) -> Reply:
        """Say one command and hear its reply."""
        self.say(command)
        return (await self.hear()).reply

    def open_content(self) -> None:
        """Begin the content, after 354. What comes from here on answers the end of data."""
        self._dot = self.dialogue.send(EndOfData())

    async def pour(
        self,
        chunks: Iterable[bytes],
        size_bytes: int,
        behind: Callable[[], Sequence[Command]] = _nothing,
    ) -> Reply:
        """Send the content and the final dot; the reply to it.

        `behind` is asked, as the final dot is handed over, for commands that ride behind it in the
        same write (RFC 2920, 3.1); their replies are heard next. It is not asked where the content
        does not come to its end.

        A refusal that comes before the final dot was handed over ends the writing, and the session
        with it. Raises `SessionError`: of stage DATA where the final dot was surely not sent, else
        of END_OF_DATA. The content has `data_timeout`, and so has the reply behind it.
        """
        self._since = self._loop.time()
        is_begun = False
        for block, is_last in blocks(chunks, self._dot):
            if (refusal := self._interruption(is_begun=is_begun)) is not None:
                return refusal
            ridden = 0
            if is_last:
                self._dot = b""
                self._tell_content(size_bytes)
                ridden = self._ride(block, behind())
            self._written += sum(map(len, block))
            self.stream.write(block)
            is_begun = True
            await self._ease()
        self._since = self._loop.time()
        reply = (await self.hear()).reply
        self._weigh(reply, ridden)
        return reply

    async def post(
        self, commands: Sequence[Command], chunks: Iterable[bytes], last: Callable[[int], None]
    ) -> None:
        """Hand over `commands`, the last of them a BDAT, and its content; wait for no reply.

        `last` is called just before the end of the content is handed over, with where that is in
        all that is written, for `has_sent`. Replies that come meanwhile are kept to be heard.
        Raises as `say` does, and `SessionError` where the server stops reading.
        """
        for command in commands:
            command.encode()
        stage = commands[0].stage
        self._insist(stage)
        if self.stream.has_ended and self.dialogue.outstanding:
            # What was said before the end may not have been read yet: it is left to be heard.
            raise ConnectionLost(
                f"{self.host}: the connection was lost", host=self.host, stage=stage
            )
        self._listen(stage)
        if not self.dialogue.outstanding:
            self._since = self._loop.time()
        with self._guarded(stage):
            if self.stream.has_ended and self.dialogue.farewell is None:
                raise self._closed()
            lines = [self.dialogue.send(command) for command in commands]
        if self._scribe is not None:
            self._scribe.sent(commands)
        for block, is_last in blocks((*lines, *chunks), b""):
            self._written += sum(map(len, block))
            if is_last:
                last(self._written)
            self.stream.write(block)
            await self._ease(is_ahead=True)

    async def catch_up(self) -> None:
        """Take in what has arrived by now, without waiting for anything.

        To write to a connection that was reset loses what the server said before: asyncio reads
        no more then. One round of the loop polls the socket, the next one comes behind its reader.
        """
        for _ in range(2):
            await asyncio.sleep(0)
        if not self._end:
            with contextlib.suppress(SessionError):
                self._listen(self._oldest_stage)

    def has_sent(self, position: int) -> bool:
        """Whether all up to there has left this process."""
        return self._written - self.stream.unsent >= position

    def has_heard(self, count: int) -> bool:
        """Whether so many replies are there without waiting, or no more will come."""
        if self._end:
            return True
        with contextlib.suppress(SessionError):
            self._listen(self._oldest_stage)
        return len(self._heard) >= count or bool(self._end)

    def early(self, exchange: Exchange) -> NoReturn:
        """Cut the session: it accepted what it cannot have seen."""
        self._break(exchange.reply, Stage.END_OF_DATA)

    def _ride(self, block: list[Bytes], commands: Sequence[Command]) -> int:
        """Put commands behind a final dot; how many octets they are."""
        lines = [self.dialogue.send(command) for command in commands]
        block += lines
        if lines and self._scribe is not None:
            self._scribe.sent(commands)
        return sum(map(len, lines))

    async def start_tls(self, context: SSLContext) -> None:
        """Go on under TLS, after 220 to STARTTLS.

        Raises `PlaintextInjected` where anything at all came behind that reply: asyncio keeps what
        it has buffered and would give it to us as if it had come under TLS.
        """
        with self._guarded(Stage.TLS):
            if self._heard or self.stream.peek():
                raise PlaintextInjected(
                    "the server, or somebody between, sent plaintext before the TLS handshake"
                )
            self.dialogue.restart()
            await self.stream.start_tls(context, self._loop.time() + self._timeout_of(Stage.TLS))

    async def quit(self) -> None:
        """Take leave: QUIT where it has a place, its reply, and close. Raises no `SessionError`.

        Within the stage's timeout and a second; a cancellation cuts the connection.
        """
        may_say = Stage.QUIT in TRANSITIONS[self.dialogue.state] and not self.dialogue.outstanding
        try:
            if may_say and not self._end:
                with contextlib.suppress(SessionError):
                    await self.exchange(Quit())
            if not self._end:
                await self.stream.close()
        finally:
            self.abort("it was closed")

    def abort(self, why: str) -> None:
        """Cut the connection; `why` is told to whoever wants to go on. Harmless when over."""
        if not self._end:
            self._end = why
            if self._scribe is not None:
                self._scribe.end()
        self.stream.abort()

    def out_of_step(self, exchange: Exchange) -> NoReturn:
        """Cut the session: by this reply the server has lost the thread of what was said ahead."""
        reply = exchange.reply
        with self._guarded(exchange.command.stage):
            raise _violation(f"lost the thread of what was said ahead (PIPELINING): {reply}", reply)

    def note(self, text: str) -> None:
        """Put a line into the transcript that is neither side's."""
        if self._scribe is not None:
            self._scribe.note(text)

    @property
    def _oldest_stage(self) -> Stage:
        outstanding = self.dialogue.outstanding
        return outstanding[0].stage if outstanding else Stage.QUIT

    @property
    def _deadline(self) -> float:
        return self._since + self._timeout_of(self._oldest_stage)

    def _insist(self, stage: Stage) -> None:
        """Raise where nothing more can come of this conversation."""
        if self._end:
            raise ConnectionLost(
                f"the session with {self.host} is over: {self._end}", host=self.host, stage=stage
            )
        with self._guarded(stage):
            if self.dialogue.violation is not None:
                raise self.dialogue.violation
            if self.dialogue.farewell is not None and self.dialogue.outstanding:
                raise self._closed()

    def _listen(self, stage: Stage) -> None:
        """Take in what has arrived, without waiting."""
        if data := self.stream.peek():
            with self._guarded(stage):
                self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            raise self._closed()
        exchanges = self.dialogue.receive(data)
        for exchange in exchanges:
            self._keep(exchange)
        if exchanges:
            self._since = self._loop.time()
        farewell = self.dialogue.farewell
        is_unasked = farewell is not None and all(e.reply is not farewell for e in exchanges)
        if is_unasked and farewell is not None and self._scribe is not None:
            self._scribe.received(self.mask.later(farewell))

    def _keep(self, exchange: Exchange) -> None:
        shown = exchange.reply
        is_auth = exchange.command.stage is Stage.AUTH
        shown = self.mask.reply(shown) if is_auth else self.mask.later(shown)
        if shown is not exchange.reply and not (is_auth and shown.is_intermediate):
            # A challenge is computed with, and stays as it came.
            exchange = Exchange(exchange.command, shown)
        self._heard.append(exchange)
        if self._scribe is not None:
            self._scribe.received(shown)

    async def _ease(self, *, is_ahead: bool = False) -> None:
        """Let what was written leave, if it is much; replies that come meanwhile are taken in.

        Unless it is written ahead of replies, one that comes ends the waiting.
        """
        while self.stream.is_congested and (is_ahead or not self._heard):
            stage = self.stage
            with self._guarded(stage):
                data = await self.stream.drain_or_read(stage, self._deadline)
                if data is None:
                    return
                self._take(data)

    def _interruption(self, *, is_begun: bool) -> Reply | None:
        """The refusal that came before the content was complete, if one did."""
        self._listen(Stage.DATA)
        self._insist(Stage.DATA)
        if self._heard:
            reply = self._heard.popleft().reply
            if reply.is_positive:
                # Nothing was to be accepted yet. If some of the content is there, who knows.
                self._break(reply, Stage.END_OF_DATA if is_begun else Stage.DATA)
            self.abort(f"the server refused the content before its end: {reply}")
            return reply
        if self.stream.has_ended:
            with self._guarded(Stage.DATA):
                raise self._closed()
        return None

    def _weigh(self, reply: Reply, ridden: int) -> None:
        """Hold the reply to the final dot against what the server can have seen by then.

        `ridden`: octets that were written behind the dot.
        """
        if self.stream.unsent <= ridden:
            return
        if reply.is_positive:
            self._break(reply, Stage.END_OF_DATA)
        # It would take the rest of the content for commands.
        self.abort(f"the server refused the content before its end: {reply}")

    def _break(self, reply: Reply, stage: Stage) -> NoReturn:
        with self._guarded(stage):
            raise _violation(f"accepted the content before its end: {reply}", reply)

    def _tell_content(self, size_bytes: int) -> None:
        if self._scribe is not None:
            if size_bytes:
                self._scribe.poured(size_bytes)
            self._scribe.sent([EndOfData()])

    def _closed(self) -> ConnectionLost:
        farewell = self.dialogue.farewell
        if farewell is None:
            return ConnectionLost("the server closed the connection")
        farewell = self.mask.later(farewell)
        return ConnectionLost(
            f"the server closed the session: {farewell}",
            code=farewell.code,
            enhanced_code=str(farewell.enhanced or "") or None,
            reply=farewell.text,
        )

    @contextlib.contextmanager
    def _guarded(self, stage: Stage) -> Iterator[None]:
        """Cut the connection whatever is raised within; a `SessionError` gets host and stage."""
        try:
            yield
        except SessionError as error:
            if not error.host:
                error.args = (f"{self.host}: {error} ({stage.value})",)
                error.host = self.host
            error.stage = stage
            self.note(str(error))
            self.abort(str(error))
            raise
        except BaseException:
            self.abort("it was cut off in the middle")
            raise
