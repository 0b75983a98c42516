"""The dialogue: the session's state, and the commands that still wait for their reply.

Pipelining is a queue here: `send` may be called again before the reply came, where the server
offers PIPELINING and RFC 2920 allows it. How many results are joined before one write is the
session's business. All state of a session lives here and in `states.TRANSITIONS`.

Nothing a server does leads to `DialogueMisuse`, which is a bug of ours: a session that goes on
after the server said 421 or broke the rules gets a `SessionError`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from bulkmail.errors import (
    ConnectionLost,
    DialogueMisuse,
    PlaintextInjected,
    ProtocolViolation,
)
from bulkmail.smtp.commands import Auth, AuthResponse, Command, Ehlo, Greeting, Helo
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.order import Circumstances, led_to, misuse
from bulkmail.smtp.reply import CLOSING, Reply, ReplyParser
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import HOPED, LEADS, State

# Members by these names: through their class, each look is a call in Python.
_READY = State.READY
_CLOSED = State.CLOSED
_END_OF_DATA = Stage.END_OF_DATA


class Exchange(NamedTuple):
    """A command and the reply to it."""

    command: Command
    reply: Reply


#: Makes one of the pair, without a call in Python.
_exchange: Callable[[tuple[Command, Reply]], Exchange] = partial(tuple.__new__, Exchange)
_code = attrgetter("code")


class Dialogue:
    """One session's dialogue, from the greeting on. Feed it what comes; write what it gives."""

    def __init__(self, *, is_tls: bool = False) -> None:
        self.state = State.CONNECTED
        self.extensions = Extensions()
        #: Whether the connection is under TLS, from the first byte on or by STARTTLS.
        self.is_tls = is_tls
        #: Whether an AUTH succeeded: there is one in a session (RFC 4954, 4).
        self.is_authenticated = False
        #: The 421 with which the server closed, to a command or with none outstanding.
        self.farewell: Reply | None = None
        #: How the server broke the rules. What it answered before that counts; nothing after.
        self.violation: ProtocolViolation | None = None
        self._parser = ReplyParser()
        self._circumstances = self._as_they_are()
        #: Commands without a reply, the oldest first: to be looked at, and changed by no other.
        self.owed: deque[Command] = deque([Greeting()])

    @property
    def outstanding(self) -> tuple[Command, ...]:
        """Commands without a reply, as they are now."""
        return tuple(self.owed)

    @property
    def is_owed(self) -> bool:
        """Whether a command waits for its reply."""
        return bool(self.owed)

    @property
    def oldest_stage(self) -> Stage | None:
        """The step of the oldest command without a reply."""
        return self.owed[0].stage if self.owed else None

    @property
    def is_idle(self) -> bool:
        """Between transactions, with no reply outstanding and no stray byte held."""
        is_quiet = not (self.owed or self._parser.pending or self.violation)
        return self.state is _READY and is_quiet

    def send(self, command: Command) -> bytes:
        """The bytes of `command`, which now waits for its reply.

        Raises `DialogueMisuse` where the command has no place here, `MessageRefusedLocally` where
        it cannot be encoded, `ConnectionLost` after the server's 421, `ProtocolViolation` after
        one; nothing has changed then.
        """
        encoded = command.encode()
        self.expect((command,))
        return encoded

    def expect(self, commands: Sequence[Command]) -> None:
        """Have commands, whose bytes the caller has already, wait for their replies.

        Raises as `send` does.
        """
        if self.violation is not None or self.farewell is not None:
            self._refuse(commands[0])
        owed = self.owed
        former: type | None = type(owed[-1]) if owed else None
        hoped = self._hoped_state() if owed else self.state
        kinds = tuple(map(type, commands))
        if (what := misuse(hoped, former, kinds, self._circumstances)) is not None:
            raise DialogueMisuse(what)
        owed += commands

    def receive(self, data: bytes) -> list[Exchange]:
        """Take bytes as they came; return what they answer, in order.

        Raises `ProtocolViolation` for a reply nobody asked for, one that has no place here, or
        what is no reply at all. Where good replies came before it in `data`, they are returned,
        `violation` is set, and the next call raises.
        """
        if self.violation is not None:
            raise self.violation
        replies = self._parser.feed(data)
        if isinstance(replies, list) and (exchanges := self._take_all(replies)):
            return exchanges
        return self._take_each(replies)

    def _take_all(self, replies: list[Reply]) -> list[Exchange]:
        """What they answer, where none of them has to be looked at by itself; else nothing."""
        owed = self.owed
        is_all = len(replies) == len(owed)
        commands = tuple(owed if is_all else islice(owed, len(replies)))
        if len(commands) < len(replies):
            return []
        state = led_to(self.state, tuple(map(type, commands)), tuple(map(_code, replies)))
        if state is None:
            return []
        self.state = state
        if is_all:
            owed.clear()
        else:
            for _ in replies:
                owed.popleft()
        return list(map(_exchange, zip(commands, replies, strict=True)))

    def _take_each(self, replies: Iterable[Reply]) -> list[Exchange]:
        """What they answer, one by one. Raises as `receive` does."""
        exchanges: list[Exchange] = []
        outstanding = self.owed
        try:
            for reply in replies:
                if not outstanding:
                    self._take_unasked(reply)
                    continue
                command = outstanding[0]
                leads = LEADS[self.state].get(command.stage)
                state = None if leads is None else leads.get(reply.code // 100)
                if state is None or reply.code == CLOSING:
                    self._take_odd(command, reply)
                else:
                    self.state = state
                    # What says something of the session ends its group.
                    if command.ends_group and reply.is_positive:
                        self._note(command, reply)
                outstanding.popleft()
                exchanges.append(_exchange((command, reply)))
        except ProtocolViolation as violation:
            violation.stage = violation.stage or self.oldest_stage or ""
            self.violation = violation
            if not exchanges:
                raise
        return exchanges

    def restart(self) -> None:
        """Begin anew under TLS: what the server said in plaintext is forgotten (RFC 3207, 4.2).

        Raises `PlaintextInjected` where anything stands behind the reply to STARTTLS,
        `DialogueMisuse` unless STARTTLS was just accepted.
        """
        if self._parser.pending or self.violation is not None or self.farewell is not None:
            raise PlaintextInjected(
                "the server, or somebody between, sent plaintext behind the reply to STARTTLS",
                stage=Stage.STARTTLS,
            )
        if self.state is not State.TLS_HANDSHAKE:
            raise DialogueMisuse("TLS begins after 220 to STARTTLS")
        self.state = State.GREETED
        self.extensions = Extensions()
        self.is_tls = True
        self.is_authenticated = False
        self._circumstances = self._as_they_are()

    def _refuse(self, command: Command) -> None:
        """The session is over."""
        if self.violation is not None:
            raise self.violation
        if self.farewell is not None:
            raise ConnectionLost(
                f"the server closed the session before {command.stage}: {self.farewell}",
                stage=command.stage,
                code=self.farewell.code,
                enhanced_code=self.farewell.enhanced_code,
                reply=self.farewell.text,
            )

    def _take_unasked(self, reply: Reply) -> None:
        """A 421 of the server's own accord."""
        if not reply.is_closing or self.state is State.CLOSED:
            raise _violation(f"a reply nobody asked for: {reply}", reply)
        self._close(reply)

    def _take_odd(self, command: Command, reply: Reply) -> None:
        """A reply that is not in the table."""
        if reply.code == CLOSING:
            self._close(reply)
        elif self.state is not _CLOSED and not (reply.is_transient or reply.is_permanent):
            # CLOSED: replies to what was pipelined before a 421 arrived.
            raise _violation(f"{reply} in reply to {command.stage} in {self.state.value}", reply)

    def _note(self, command: Command, reply: Reply) -> None:
        """Keep what a positive reply says of the session."""
        if isinstance(command, Ehlo):
            self.extensions = Extensions.parse(reply)
        elif isinstance(command, Helo):
            self.extensions = Extensions()
        elif isinstance(command, Auth | AuthResponse):
            self.is_authenticated = True
        self._circumstances = self._as_they_are()

    def _as_they_are(self) -> Circumstances:
        offers = self.extensions
        return Circumstances(offers.pipelining, offers.chunking, self.is_tls, self.is_authenticated)

    def _close(self, farewell: Reply) -> None:
        self.farewell = farewell
        self.state = _CLOSED

    def _hoped_state(self) -> State:
        """The state once all that is outstanding, which is something, has been answered well."""
        outstanding = self.owed
        if outstanding[-1].stage is _END_OF_DATA:
            # It ends the transaction, whatever becomes of what is before it.
            return _READY
        hoped = self.state
        for command in outstanding:
            hoped = HOPED[hoped].get(command.stage, hoped)
        return hoped


def _violation(message: str, reply: Reply) -> ProtocolViolation:
    return ProtocolViolation(
        message,
        code=reply.code,
        enhanced_code=reply.enhanced_code,
        reply=reply.text,
    )
