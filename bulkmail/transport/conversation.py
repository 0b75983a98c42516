"""The conversation: a dialogue held over a stream, in time.

`say` hands commands over and returns at once; `hear` waits for the next reply, whichever command
it answers. What is said ahead and when it is heard is the caller's business, so that one group or
a next envelope behind a final dot are the same two verbs. For lockstep there is `converse`.

Waiting is under the deadline of the oldest outstanding command, which begins when it became the
oldest: a server that drips bytes does not extend it. Whatever ends a wait early (the deadline, a
cancellation) cuts the connection, as the late reply would answer the next command.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ssl import SSLContext
from typing import NoReturn

from bulkmail.errors import ConnectionLost, PlaintextInjected, ProtocolViolation, SessionError
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.commands import Auth, AuthResponse, Command, EndOfData, Quit
from bulkmail.smtp.dialogue import Dialogue, Exchange
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import TRANSITIONS
from bulkmail.transport.byte_stream import Bytes, Stream
from bulkmail.transport.mask import Mask
from bulkmail.transport.transcript import Scribe

# Members by these names: through their class, each look takes as long as a call.
_DATA = Stage.DATA
_MAIL = Stage.MAIL
_QUIT = Quit()
_DOT = (EndOfData(),)
_FINAL_DOT = _DOT[0].encode()
#: What may be said at any time of it, where nobody says which step it is.
_IDLE = Stage.QUIT


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
        #: Replies that came, each with its command, and are to be taken by somebody: `hear` waits
        #: for the next one where there is none.
        self.heard: deque[Exchange] = deque()
        #: Octets handed to the stream.
        self.written = 0
        #: Why there is no more to be said or heard; "" while there is.
        self._end = ""
        #: The final dot while it was not handed over; b"" outside content.
        self._dot = b""
        self._now = asyncio.get_running_loop().time
        #: When the oldest outstanding command became the oldest, in the loop's time.
        self._since = self._now()

    @property
    def is_idle(self) -> bool:
        """Whether a transaction may begin: nothing owed, nothing stray, the connection stands."""
        if self._end:
            return False
        if not self.stream.is_quiet:
            try:
                self.listen(_MAIL)
            except SessionError:
                return False
            if self.stream.has_ended:
                return False
        return self.dialogue.is_idle and not self.heard

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
        return _DATA if self._dot else self.dialogue.oldest_stage or _IDLE

    def say(self, *commands: Command) -> None:
        """Hand commands over in one write.

        Raises `MessageRefusedLocally` where one cannot be encoded, and then none was sent;
        `SessionError` where the session is over.
        """
        self._say(commands, [command.encode() for command in commands])

    def _say(self, commands: Sequence[Command], lines: Sequence[bytes]) -> None:
        dialogue = self.dialogue
        if self.is_undisturbed:
            if not dialogue.owed:
                self._since = self._now()
        else:
            stage = commands[0].stage
            self.insist(stage)
            if not dialogue.owed:
                self.listen(stage)
            self.begin(stage)
        self.expect(commands)
        self.write(lines)

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing has come that was not read, and nothing that ends the session."""
        dialogue = self.dialogue
        is_well = dialogue.violation is None and dialogue.farewell is None and not self._end
        return is_well and self.stream.is_quiet

    def begin(self, stage: Stage) -> None:
        """Something is about to be said. Raises `SessionError` where the server has hung up."""
        if not self.dialogue.owed:
            self._since = self._now()
        if self.stream.has_ended and self.dialogue.farewell is None:
            self._fail(self._closed(), stage)

    def expect(self, commands: Sequence[Command]) -> None:
        """Have commands wait for their replies; their bytes are to be written now."""
        self._expect(commands)
        if self._scribe is not None:
            self._scribe.sent(commands)

    def _expect(self, commands: Sequence[Command]) -> None:
        try:
            self.dialogue.expect(commands)
        except BaseException as error:
            self._fall(error, commands[0].stage)
            raise

    def write(self, pieces: Sequence[Bytes]) -> None:
        """Hand bytes over, whatever they are."""
        self.written += self.stream.write(pieces)

    def send_file(self, file: SharedFile) -> None:
        """Hand a file over. Nothing else may be until `ease` has come back."""
        self.written += len(file)
        self.stream.send_file(file)

    def start_clock(self) -> None:
        """A step begins, and with it the time it may take."""
        self._since = self._now()

    async def hear(self) -> Exchange:
        """The next reply, with the command that it answers.

        Raises `SessionError` where there will be none; the connection is cut then, as it is on a
        cancellation.
        """
        heard, dialogue = self.heard, self.dialogue
        while not heard:
            stage, deadline = self._wait()
            if self._end or dialogue.violation is not None or dialogue.farewell is not None:
                self.insist(stage)
            try:
                self._take(await self.stream.read(stage, deadline))
            except BaseException as error:
                self._fall(error, stage)
                raise
        return heard.popleft()

    async def converse(
        self, commands: Sequence[Command], goes_on: Callable[[Exchange], bool]
    ) -> None:
        """Say commands one by one, each behind the former's reply, while `goes_on` has it so.

        It is called with each reply as that comes, and must not wait: the next command goes out at
        once, and nobody is woken for it. Raises as `say` does (nothing was said where one cannot
        be encoded), and as `hear` does.
        """
        lines = [command.encode() for command in commands]
        said = 1

        def take(data: bytes) -> tuple[Stage, float] | None:
            nonlocal said
            self._take(data)
            while self.heard:
                if not goes_on(self.heard.popleft()) or said == len(commands):
                    return None
                said += 1
                self._say(commands[said - 1 : said], lines[said - 1 : said])
            return self._wait()

        self._say(commands[:1], lines[:1])
        try:
            await self.stream.read_on(*self._wait(), take)
        except BaseException as error:
            # What could not be said has cut it already, and names the command.
            if not (self._end and isinstance(error, SessionError) and error.host):
                self._fall(error, self.stage)
            raise

    async def exchange(self, command: Command) -> Reply:
        """Say one command and hear its reply."""
        self.say(command)
        return (await self.hear()).reply

    def open_content(self) -> None:
        """Begin the content, after 354. What comes from here on answers the end of data."""
        try:
            self.dialogue.expect(_DOT)
        except BaseException as error:
            # A 421, or what nobody asked for, came in one read with the 354.
            self._fall(error, _DATA)
            raise
        self._dot = _FINAL_DOT

    def close_content(
        self,
        block: list[Bytes],
        size_bytes: int,
        commands: Sequence[Command],
        lines: Sequence[bytes],
    ) -> None:
        """Hand over the last block of so much content, the final dot, and commands behind it.

        What was not opened is opened by it: content that goes out whole, waiting for nothing.
        """
        # What the server waits for by now has been said, and is outstanding.
        said = commands if self._dot else (*_DOT, *commands)
        self._dot = b""
        if said:
            self._expect(said)
        if self._scribe is not None:
            if size_bytes:
                self._scribe.poured(size_bytes)
            self._scribe.sent((*_DOT, *commands))
        block.append(_FINAL_DOT)
        block += lines
        self.write(block)

    async def let_pass(self, work: Awaitable[None]) -> None:
        """Have something done while the server answers; whatever it raises cuts the connection."""
        try:
            await work
        except BaseException as error:
            self._fall(error, self.stage)
            raise

    async def ease(self, *, is_ahead: bool = False) -> None:
        """Let what was written leave, if it is much; replies that come meanwhile are taken in.

        Unless it is written ahead of replies, one that comes ends the waiting.
        """
        while self.stream.is_congested and (is_ahead or not self.heard):
            stage, deadline = self._wait()
            try:
                data = await self.stream.drain_or_read(stage, deadline)
                if data is None:
                    return
                self._take(data)
            except BaseException as error:
                self._fall(error, stage)
                raise

    async def catch_up(self) -> None:
        """Take in what has arrived by now, without waiting for anything.

        To write to a connection that was reset loses what the server said before: asyncio reads
        no more then. One round of the loop polls the socket, the next one comes behind its reader.
        """
        for _ in range(2):
            await asyncio.sleep(0)
        if not self._end:
            with contextlib.suppress(SessionError):
                self.listen(self.stage)

    @property
    def sent(self) -> int:
        """Octets of what is `written` that have left this process."""
        return self.written - self.stream.unsent

    def has_heard(self, count: int) -> bool:
        """Whether so many replies are there without waiting, or no more will come."""
        if not self._end and len(self.heard) < count:
            with contextlib.suppress(SessionError):
                self.listen(self.stage)
        return len(self.heard) >= count or bool(self._end)

    def early(self, reply: Reply, stage: Stage) -> NoReturn:
        """Cut the session: it accepted what it cannot have seen."""
        self._fail(_violation(f"accepted the content before its end: {reply}", reply), stage)

    async def start_tls(self, context: SSLContext) -> None:
        """Go on under TLS, after 220 to STARTTLS.

        Raises `PlaintextInjected` where anything at all came behind that reply: asyncio keeps what
        it has buffered and would give it to us as if it had come under TLS.
        """
        try:
            self._refuse_plaintext()
            self.dialogue.restart()
            await self.stream.start_tls(context, self._now() + self._timeout_of(Stage.TLS))
        except BaseException as error:
            self._fall(error, Stage.TLS)
            raise

    def _refuse_plaintext(self) -> None:
        if self.heard or self.stream.peek():
            raise PlaintextInjected(
                "the server, or somebody between, sent plaintext before the TLS handshake"
            )

    def quit_ahead(self) -> None:
        """Say QUIT behind what waits for its reply (RFC 2920, 3.1); `quit` waits for its own."""
        self.say(_QUIT)

    async def quit(self) -> None:
        """Take leave: QUIT where it has a place, its reply, and close. Raises no `SessionError`.

        Within the stage's timeout and a second; a cancellation cuts the connection.
        """
        owed = self.dialogue.owed
        may_say = Stage.QUIT in TRANSITIONS[self.dialogue.state] and not owed
        try:
            if may_say and not self._end:
                with contextlib.suppress(SessionError):
                    await self.exchange(_QUIT)
            elif owed and owed[0] is _QUIT and not self._end:
                with contextlib.suppress(SessionError):
                    await self.hear()
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
        lost = _violation(f"lost the thread of what was said ahead (PIPELINING): {reply}", reply)
        self._fail(lost, exchange.command.stage)

    def note(self, text: str) -> None:
        """Put a line into the transcript that is neither side's."""
        if self._scribe is not None:
            self._scribe.note(text)

    def _wait(self) -> tuple[Stage, float]:
        """The step we are in, and until when the server may take its time."""
        owed = self.dialogue.owed
        oldest = owed[0].stage if owed else _IDLE
        return _DATA if self._dot else oldest, self._since + self._timeout_of(oldest)

    def insist(self, stage: Stage) -> None:
        """Raise where nothing more can come of this conversation."""
        if self._end:
            raise ConnectionLost(
                f"the session with {self.host} is over: {self._end}", host=self.host, stage=stage
            )
        dialogue = self.dialogue
        if dialogue.violation is not None:
            self._fail(dialogue.violation, stage)
        if dialogue.farewell is not None and dialogue.owed:
            self._fail(self._closed(), stage)

    def listen(self, stage: Stage) -> None:
        """Take in what has arrived, without waiting."""
        if data := self.stream.peek():
            try:
                self._take(data)
            except BaseException as error:
                self._fall(error, stage)
                raise

    def _take(self, data: bytes) -> None:
        if not data:
            raise self._closed()
        dialogue = self.dialogue
        exchanges = dialogue.receive(data)
        if self._scribe is None and self.mask.is_empty:
            self.heard += exchanges
        else:
            self.heard += map(self._shown, exchanges)
        if exchanges and dialogue.owed:
            self._since = self._now()
        if dialogue.farewell is not None:
            self._tell_farewell(dialogue.farewell, exchanges)

    def _shown(self, exchange: Exchange) -> Exchange:
        """An exchange as it may be shown, which is told."""
        command, reply = exchange.command, exchange.reply
        is_auth = isinstance(command, Auth | AuthResponse)
        shown = self.mask.reply(reply) if is_auth else self.mask.later(reply)
        if self._scribe is not None:
            self._scribe.received(shown)
        if shown is reply or (is_auth and shown.is_intermediate):
            # A challenge is computed with, and stays as it came.
            return exchange
        return Exchange(command, shown)

    def _tell_farewell(self, farewell: Reply, exchanges: Iterable[Exchange]) -> None:
        """Tell a 421 that answers nothing."""
        is_unasked = all(exchange.reply is not farewell for exchange in exchanges)
        if is_unasked and self._scribe is not None:
            self._scribe.received(self.mask.later(farewell))

    def _closed(self) -> ConnectionLost:
        farewell = self.dialogue.farewell
        if farewell is None:
            return ConnectionLost("the server closed the connection")
        farewell = self.mask.later(farewell)
        return ConnectionLost(
            f"the server closed the session: {farewell}",
            code=farewell.code,
            enhanced_code=farewell.enhanced_code,
            reply=farewell.text,
        )

    def _fail(self, error: SessionError, stage: Stage) -> NoReturn:
        """End the conversation with an error of our own."""
        try:
            raise error
        except SessionError:
            self._fall(error, stage)
            raise

    def _fall(self, error: BaseException, stage: Stage) -> None:
        """Cut the connection, whatever was raised; a `SessionError` gets host and stage."""
        if not isinstance(error, SessionError):
            self.abort("it was cut off in the middle")
            return
        if not error.host:
            # It may quote what answers nothing, which no mask has seen yet.
            error.args = (f"{self.host}: {self.mask.text(str(error))} ({stage.value})",)
            error.reply = self.mask.text(error.reply)
            error.host = self.host
        error.stage = stage
        self.note(str(error))
        self.abort(str(error))
