"""An SMTP server on loopback whose every answer a test may write, and that remembers what it saw.

A `Rule` looks at a `Turn` (one command, or the end of data) and answers it, or leaves it to the
next rule; what no rule answers is answered as a willing server would. An answer is a reply, or
something that no server should do: `CUT`, `HANG`, or a reply after which it cuts (`then_cut`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import enum
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

LOOPBACK = "127.0.0.1"


class Deed(enum.Enum):
    """What a server does instead of replying."""

    #: Cut the connection, no reply.
    CUT = "cut"
    #: Say nothing until the client leaves.
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Last:
    """A reply, and then the connection is cut."""

    reply: str


@dataclass(frozen=True, slots=True)
class Drip:
    """A reply that comes a byte at a time, for ever; each byte is in time."""

    reply: str


@dataclass(frozen=True, slots=True)
class Held:
    """A reply that comes once an event has happened."""

    event: asyncio.Event
    reply: str


CUT, HANG = Deed.CUT, Deed.HANG
Answer: TypeAlias = str | Deed | Last | Drip | Held


def then_cut(reply: str) -> Last:
    """`reply`, and the connection is cut behind it."""
    return Last(reply)


@dataclass(slots=True)
class Turn:
    """One command that waits for its answer."""

    #: ``connect ehlo starttls auth mail rcpt data dot rset quit``, or another verb.
    stage: str
    #: The command as it was written; "" for `connect`.
    line: str
    #: Number of the connection, from 1.
    connection: int
    #: The how-manieth of its stage, from 1, over all connections.
    nth: int
    #: For `rcpt` its address; for `dot` those that were accepted, with blanks between.
    address: str = ""
    #: The how-manieth of its stage for that address, from 1.
    nth_for_address: int = 0


Rule: TypeAlias = Callable[[Turn], Answer | None]


def on(
    stage: str, answer: Answer, *, times: int | None = None, to: str = "", after: int = 0
) -> Rule:
    """Answer `stage` so: `times` times at most, only for the address `to`, the first `after` not.

    With `to`, turns are counted for each address.
    """

    def rule(turn: Turn) -> Answer | None:
        if turn.stage != stage or (to and to not in turn.address.split()):
            return None
        nth = turn.nth_for_address if to else turn.nth
        if nth <= after or (times is not None and nth > after + times):
            return None
        return answer

    return rule


def greylist(tries: int, reply: str = "450 4.2.0 greylisted") -> Rule:
    """Refuse each address so many times."""

    def rule(turn: Turn) -> Answer | None:
        is_early = turn.stage == "rcpt" and turn.nth_for_address <= tries
        return reply if is_early else None

    return rule


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message whose end of data was seen, whether or not it was answered."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    connection: int
    #: By `time.monotonic`.
    at: float
    #: The reply that was written; "" where there was none.
    reply: str

    @property
    def message_id(self) -> str:
        """Its Message-ID."""
        for line in self.content.split(b"\r\n"):
            if line.lower().startswith(b"message-id:"):
                return line.partition(b":")[2].strip().decode()
        return ""

    def has_line(self, start: bytes) -> bool:
        """Whether a line of it begins like that."""
        return any(line.startswith(start) for line in self.content.split(b"\r\n"))


@dataclass(slots=True)
class ScriptedServer:
    """What it was told, and what came of it."""

    rules: list[Rule] = field(default_factory=list)
    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME"])
    #: User to password; a login with another one is refused with 535.
    logins: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    #: Every command line, credentials included.
    commands: list[str] = field(default_factory=list)
    #: Instants at which MAIL was read, by `time.monotonic`.
    mails_at: list[float] = field(default_factory=list)
    #: Decoded credentials of each login that was tried.
    tried: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0
    #: Most at once.
    peak: int = 0
    _open: int = 0
    _turns: Counter[str] = field(default_factory=Counter)
    #: Called with each turn, before its answer is written.
    watch: Callable[[Turn], None] | None = None

    @property
    def accepted(self) -> list[Arrival]:
        """The messages whose end of data was answered with 250."""
        return [arrival for arrival in self.arrivals if arrival.reply.startswith("2")]

    @property
    def got(self) -> Counter[str]:
        """Copies by address, of what was accepted."""
        return Counter(path for arrival in self.accepted for path in arrival.recipients)

    def count(self, verb: str) -> int:
        """How many commands of that verb came."""
        return sum(line.upper().startswith(verb.upper()) for line in self.commands)

    def url(self, **keys: object) -> dict[str, object]:
        """Its settings in a campaign file; `security: none` unless told otherwise."""
        return {"host": LOOPBACK, "port": self.port, "security": "none", **keys}

    def turn(self, stage: str, line: str, connection: int, address: str = "") -> Turn:
        """Count a turn."""
        self._turns[stage] += 1
        self._turns[f"{stage} {address}"] += 1
        nth_for_address = self._turns[f"{stage} {address}"]
        turn = Turn(stage, line, connection, self._turns[stage], address, nth_for_address)
        if self.watch is not None:
            self.watch(turn)
        return turn

    def answer(self, turn: Turn, willing: str) -> Answer:
        """The first rule's answer; else the willing one."""
        answers = (rule(turn) for rule in self.rules)
        return next((answer for answer in answers if answer is not None), willing)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self._open += 1
        self.peak = max(self.peak, self._open)
        talk = _Talk(self, reader, writer, self.connections)
        try:
            await talk.run()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, _Ended):
            pass
        finally:
            self._open -= 1
            writer.transport.abort()


class _Ended(Exception):
    """The connection is over, by the script."""


class _Talk:
    """One connection's dialogue."""

    def __init__(
        self,
        server: ScriptedServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._number = number
        self._sender = ""
        self._paths: list[str] = []

    async def run(self) -> None:
        await self._turn("connect", "", "220 scripted.example ESMTP")
        while raw := await self._reader.readline():
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self._server.commands.append(line)
            await self._command(line)

    async def _command(self, line: str) -> None:
        verb = line.partition(" ")[0].upper()
        match verb:
            case "EHLO" | "HELO":
                await self._turn("ehlo", line, self._greeting(verb))
            case "STARTTLS":
                await self._starttls(line)
            case "AUTH":
                await self._auth(line)
            case "MAIL":
                await self._mail(line)
            case "RCPT":
                await self._rcpt(line)
            case "DATA":
                await self._data(line)
            case "BDAT":
                await self._bdat(line)
            case "RSET":
                self._paths = []
                await self._turn("rset", line, "250 2.0.0 ok")
            case "QUIT":
                await self._turn("quit", line, "221 2.0.0 bye")
                raise _Ended
            case _:
                await self._turn(verb.lower(), line, "250 2.0.0 ok")

    def _greeting(self, verb: str) -> str:
        offered = list(self._server.extensions)
        is_tls = self._writer.get_extra_info("ssl_object") is not None
        if self._server.tls is not None and not is_tls:
            offered.append("STARTTLS")
        if self._server.logins and not any(word.startswith("AUTH") for word in offered):
            offered.append("AUTH PLAIN LOGIN")
        lines = ["scripted.example", *(offered if verb == "EHLO" else [])]
        return "\r\n".join([*(f"250-{word}" for word in lines[:-1]), f"250 {lines[-1]}"])

    async def _starttls(self, line: str) -> None:
        reply = await self._turn("starttls", line, "220 2.0.0 go on")
        if reply.startswith("2") and self._server.tls is not None:
            await self._writer.start_tls(self._server.tls)

    async def _auth(self, line: str) -> None:
        words = line.split()
        user, password = await self._credentials(words)
        self._server.tried.append((user, password))
        is_known = self._server.logins.get(user) == password
        willing = "235 2.7.0 welcome" if is_known else "535 5.7.8 wrong user name or password"
        await self._turn("auth", line, willing)

    async def _credentials(self, words: list[str]) -> tuple[str, str]:
        if words[1].upper() == "LOGIN":
            user = (await self._ask("VXNlcm5hbWU6")).decode()
            return user, (await self._ask("UGFzc3dvcmQ6")).decode()
        raw = base64.b64decode(words[2]) if len(words) > 2 else await self._ask("")
        if words[1].upper() == "XOAUTH2":
            user, bearer = raw.decode().split("\x01")[:2]
            return user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
        _, user, password = raw.decode().split("\0")
        return user, password

    async def _ask(self, challenge: str) -> bytes:
        await self._write(f"334 {challenge}")
        line = (await self._reader.readline()).decode().strip()
        self._server.commands.append(line)
        return base64.b64decode(line)

    async def _mail(self, line: str) -> None:
        self._server.mails_at.append(time.monotonic())
        self._sender = line[line.index("<") + 1 : line.index(">")]
        self._paths = []
        await self._turn("mail", line, "250 2.1.0 ok", self._sender)

    async def _rcpt(self, line: str) -> None:
        path = line[line.index("<") + 1 : line.rindex(">")]
        if (await self._turn("rcpt", line, "250 2.1.5 ok", path)).startswith("2"):
            self._paths.append(path)

    async def _data(self, line: str) -> None:
        willing = "354 go on" if self._paths else "554 5.5.1 no valid recipients"
        if not (await self._turn("data", line, willing)).startswith("3"):
            return
        await self._take((await self._reader.readuntil(b"\r\n.\r\n"))[:-3])

    async def _bdat(self, line: str) -> None:
        content = await self._reader.readexactly(int(line.split()[1]))
        if self._paths:
            await self._take(content)
        else:
            await self._write("503 5.5.1 no valid recipients")

    async def _take(self, content: bytes) -> None:
        """The whole content is there."""
        paths, self._paths = tuple(self._paths), []
        turn = self._server.turn("dot", ".", self._number, " ".join(paths))
        answer = self._server.answer(turn, "250 2.0.0 taken")
        reply = answer.reply if isinstance(answer, Last | Held) else answer
        self._server.arrivals.append(
            Arrival(
                sender=self._sender,
                recipients=paths,
                content=content,
                connection=self._number,
                at=time.monotonic(),
                reply=reply if isinstance(reply, str) else "",
            )
        )
        await self._do(answer)

    async def _turn(self, stage: str, line: str, willing: str, address: str = "") -> str:
        """Answer; the reply that was written."""
        turn = self._server.turn(stage, line, self._number, address)
        return await self._do(self._server.answer(turn, willing))

    async def _do(self, answer: Answer) -> str:
        match answer:
            case str():
                await self._write(answer)
                return answer
            case Held(event, reply):
                await event.wait()
                await self._write(reply)
                return reply
            case Last(reply):
                await self._write(reply)
            case Drip(reply):
                await self._drip(reply)
            case Deed.HANG:
                while await self._reader.read(65536):
                    pass
            case Deed.CUT:
                pass
        raise _Ended

    async def _drip(self, reply: str) -> None:
        while True:
            for letter in f"{reply[:3]}-{reply[4:]}\r\n":
                self._writer.write(letter.encode())
                await self._writer.drain()
                await asyncio.sleep(0.02)  # the drip itself; nothing is proved by it

    async def _write(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()


@contextlib.asynccontextmanager
async def scripted(
    *rules: Rule, implicit: ssl.SSLContext | None = None, **facts: object
) -> AsyncIterator[ScriptedServer]:
    """A server on a free port of the loopback; all its connections are cut at the end."""
    server = ScriptedServer(rules=list(rules), **facts)  # type: ignore[arg-type]  # its fields
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, LOOPBACK, 0, ssl=implicit, limit=2**24)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
