"""The dialogue: the session's state, and the commands that still wait for their reply.

Pipelining is a queue here: `send` may be called again before the reply came, where the server
offers PIPELINING and RFC 2920 allows it. How many results are joined before one write is the
session's business. All state of a session lives here and in `states.TRANSITIONS`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bulkmail.errors import DialogueMisuse, ProtocolViolation
from bulkmail.smtp.commands import Command, Greeting
from bulkmail.smtp.extensions import Extensions
from bulkmail.smtp.reply import Reply, ReplyParser
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import COMPLETION, INTERMEDIATE, TRANSITIONS, State


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and the reply to it."""

    command: Command
    reply: Reply


class Dialogue:
    """One session's dialogue, from the greeting on. Feed it what comes; write what it gives."""

    def __init__(self) -> None:
        self.state = State.CONNECTED
        self.extensions = Extensions()
        #: A 421 that came on its own, with no command outstanding.
        self.farewell: Reply | None = None
        self._parser = ReplyParser()
        self._outstanding: deque[Command] = deque([Greeting()])

    @property
    def outstanding(self) -> tuple[Command, ...]:
        """Commands without a reply, the oldest first."""
        return tuple(self._outstanding)

    @property
    def is_idle(self) -> bool:
        """Between transactions, with no reply outstanding and no stray byte held."""
        return self.state is State.READY and not self._outstanding and not self._parser.pending

    def send(self, command: Command) -> bytes:
        """The bytes of `command`, which now waits for its reply.

        Raises `DialogueMisuse` where the command has no place here, `MessageRefusedLocally` where
        it cannot be encoded; nothing has changed then.
        """
        if self._outstanding and not self.extensions.pipelining:
            raise DialogueMisuse(f"{command.stage} before the reply, without PIPELINING")
        if self._outstanding and self._outstanding[-1].ends_group:
            raise DialogueMisuse(f"{command.stage} behind {self._outstanding[-1].stage}")
        if command.stage not in TRANSITIONS[self._expected_state()]:
            raise DialogueMisuse(f"{command.stage} has no place in {self._expected_state().value}")
        encoded = command.encode()
        self._outstanding.append(command)
        return encoded

    def receive(self, data: bytes) -> list[Exchange]:
        """Take bytes as they came; return what they answer, in order.

        Raises `ProtocolViolation` for a reply nobody asked for, one that has no place here, or
        what is no reply at all.
        """
        return [
            exchange
            for reply in self._parser.feed(data)
            if (exchange := self._answer(reply)) is not None
        ]

    def restart(self) -> None:
        """Begin anew under TLS: what the server said in plaintext is forgotten (RFC 3207, 4.2).

        Raises `DialogueMisuse` unless STARTTLS was just accepted, `ProtocolViolation` where
        plaintext is left over.
        """
        if self.state is not State.TLS_HANDSHAKE or self._outstanding:
            raise DialogueMisuse("TLS begins after 220 to STARTTLS")
        if self._parser.pending:
            raise ProtocolViolation("plaintext behind the reply to STARTTLS")
        self.state = State.GREETED
        self.extensions = Extensions()

    def _answer(self, reply: Reply) -> Exchange | None:
        if not self._outstanding:
            if not reply.is_closing:
                raise ProtocolViolation(f"a reply nobody asked for: {reply}")
            self.farewell = reply
            self.state = State.CLOSED
            return None
        command = self._outstanding.popleft()
        self.state = self._next_state(command, reply)
        if command.stage is Stage.EHLO and reply.is_positive:
            self.extensions = Extensions.parse(reply)
        elif command.stage is Stage.HELO and reply.is_positive:
            self.extensions = Extensions()
        return Exchange(command, reply)

    def _next_state(self, command: Command, reply: Reply) -> State:
        if reply.is_closing:
            return State.CLOSED
        if self.state is State.CLOSED:
            # Replies to what was pipelined before a 421 arrived.
            return State.CLOSED
        known = TRANSITIONS[self.state].get(command.stage, {})
        if reply.severity in known:
            return known[reply.severity]
        if reply.is_transient or reply.is_permanent:
            return self.state
        raise ProtocolViolation(f"{reply} in reply to {command.stage} in state {self.state.value}")

    def _expected_state(self) -> State:
        """The state once all that is outstanding has been answered well."""
        state = self.state
        for command in self._outstanding:
            known = TRANSITIONS[state].get(command.stage, {})
            state = known.get(COMPLETION) or known.get(INTERMEDIATE) or state
        return state
