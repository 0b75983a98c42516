"""The line: a dialogue and the stream under it, what came on it, and how both come to their end.

Whatever ends it early cuts the connection, and is told with host and stage.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NoReturn

from bulkmail.errors import ConnectionLost, ProtocolViolation, SessionError
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.commands import Auth, AuthResponse, Command
from bulkmail.smtp.dialogue import Dialogue, Exchange
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport.byte_stream import Bytes, Stream
from bulkmail.transport.mask import Mask
from bulkmail.transport.transcript import Scribe


def _violation(what: str, reply: Reply) -> ProtocolViolation:
    return ProtocolViolation(what, code=reply.code, reply=reply.text)


class Line:
    """A dialogue over a stream. Every `SessionError` it raises names host and stage."""

    def __init__(
        self, stream: Stream, host: str, scribe: Scribe | None = None, *, is_tls: bool = False
    ) -> None:
        #: ``host:port``, for people.
        self.host = host
        self.dialogue = Dialogue(is_tls=is_tls)
        self.stream = stream
        #: Hides what is secret in the replies to AUTH.
        self.mask = Mask()
        self._scribe = scribe
        #: Replies that came, each with its command, and are to be taken by somebody.
        self.heard: deque[Exchange] = deque()
        #: Octets handed to the stream.
        self.written = 0
        #: Why there is no more to be said or heard; "" while there is.
        self._end = ""
        self._now = asyncio.get_running_loop().time
        #: When the oldest outstanding command became the oldest, in the loop's time.
        self._since = self._now()

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said, as far as is known."""
        dialogue = self.dialogue
        is_ended = dialogue.farewell is not None or dialogue.violation is not None
        return bool(self._end) or is_ended or self.stream.has_ended

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing has come that was not read, and nothing that ends the session."""
        dialogue = self.dialogue
        is_well = dialogue.violation is None and dialogue.farewell is None and not self._end
        return is_well and self.stream.is_quiet

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

    @property
    def sent(self) -> int:
        """Octets of what is `written` that have left this process."""
        return self.written - self.stream.unsent

    def early(self, reply: Reply, stage: Stage) -> NoReturn:
        """Cut the session: it accepted what it cannot have seen."""
        self._fail(_violation(f"accepted the content before its end: {reply}", reply), stage)

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

    def start_clock(self) -> None:
        """A step begins, and with it the time it may take."""
        self._since = self._now()

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
