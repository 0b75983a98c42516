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
from collections.abc import Awaitable, Callable, Sequence
from ssl import SSLContext

from bulkmail.errors import PlaintextInjected, SessionError
from bulkmail.smtp.commands import Command, EndOfData, Quit
from bulkmail.smtp.dialogue import Exchange
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import TRANSITIONS
from bulkmail.transport.byte_stream import Bytes, Stream
from bulkmail.transport.line import Line
from bulkmail.transport.transcript import Scribe

# Members by these names: through their class, each look takes as long as a call.
_DATA = Stage.DATA
_MAIL = Stage.MAIL
_QUIT = Quit()
_DOT = (EndOfData(),)
_FINAL_DOT = _DOT[0].encode()
#: What may be said at any time of it, where nobody says which step it is.
_IDLE = Stage.QUIT


class Conversation(Line):
    """Says and hears in time. Every `SessionError` it raises names host and stage."""

    def __init__(
        self,
        stream: Stream,
        host: str,
        timeout_of: Callable[[Stage], float],
        scribe: Scribe | None = None,
        *,
        is_tls: bool = False,
    ) -> None:
        super().__init__(stream, host, scribe, is_tls=is_tls)
        self._timeout_of = timeout_of
        #: The final dot while it was not handed over; b"" outside content.
        self._dot = b""

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

    def begin(self, stage: Stage) -> None:
        """Something is about to be said. Raises `SessionError` where the server has hung up."""
        if not self.dialogue.owed:
            self._since = self._now()
        if self.stream.has_ended and self.dialogue.farewell is None:
            self._fail(self._closed(), stage)

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

    def has_heard(self, count: int) -> bool:
        """Whether so many replies are there without waiting, or no more will come."""
        if not self._end and len(self.heard) < count:
            with contextlib.suppress(SessionError):
                self.listen(self.stage)
        return len(self.heard) >= count or bool(self._end)

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

    def _wait(self) -> tuple[Stage, float]:
        """The step we are in, and until when the server may take its time."""
        owed = self.dialogue.owed
        oldest = owed[0].stage if owed else _IDLE
        return _DATA if self._dot else oldest, self._since + self._timeout_of(oldest)
