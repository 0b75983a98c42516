"""A dialogue with its server, for tests that read like a transcript."""

from __future__ import annotations

from bulkmail.smtp.commands import Command, Ehlo
from bulkmail.smtp.dialogue import Dialogue
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.states import State


class ScriptedServer:
    """A dialogue and what its server says, to read like a transcript."""

    def __init__(self, *, is_tls: bool = False) -> None:
        self.dialogue = Dialogue(is_tls=is_tls)

    def says(self, *lines: str) -> list[Reply]:
        """Let these lines come, all at once; the replies to what was sent."""
        raw = "".join(f"{line}\r\n" for line in lines).encode()
        return [exchange.reply for exchange in self.dialogue.receive(raw)]

    def hears(self, *commands: Command) -> bytes:
        """Send the commands in one group."""
        return b"".join(map(self.dialogue.send, commands))

    def is_in(self, state: State) -> bool:
        """Whether the dialogue stands there."""
        return self.dialogue.state is state

    def greets(self, *keywords: str) -> ScriptedServer:
        """Greeting and EHLO, with what is offered."""
        self.says("220 mx.example ESMTP")
        self.hears(Ehlo("me.example"))
        lines = ["mx.example", *keywords]
        self.says(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
        return self
