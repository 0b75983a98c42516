"""The network between: streams whose bytes take a while, come in pieces, or do not come at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from simulation.loop import Ticket, VirtualLoop
from simulation.process import Process
from simulation.smtp_server import Books, Deed, ServerSide
from simulation.temper import Act
from simulation.wiretap import Wiretap

from bulkmail.errors import ConnectFailed, ConnectionLost, StageTimeout, TlsFailed
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.stage import Stage
from bulkmail.transport.byte_stream import Bytes
from bulkmail.transport.opening import Connect
from bulkmail.transport.stream import HIGH_WATER

#: Bytes that the kernel takes off our hands at once.
_KERNEL = 65536
#: Bytes a piece is cut to at most where content is cut.
_MOST_PIECES = 3


class Watcher(Protocol):
    """Who looks at what goes over the wire."""

    def wrote(self, process: Process, server: str, octets: bytes) -> None:
        """A process handed bytes to its connection."""
        ...

    def connected(self, process: Process, server: str, change: int) -> None:
        """A process has one connection more, or less."""
        ...

    def said(self, process: Process, line: Line, kind: str, what: str) -> None:
        """Those bytes are a command, or the end of a content (see `Wiretap`)."""
        ...


@dataclass
class Line:
    """One connection, to who watches it."""

    server: str
    #: When its last MAIL was handed over: virtual seconds, and by the sender's clock.
    mail_at: float = 0.0
    mail_by_clock: float = 0.0
    #: Domains of the message that is under way, each with when its first RCPT was handed over.
    domains: dict[str, float] = field(default_factory=dict)


@dataclass
class Network:
    """All connections of the world."""

    loop: VirtualLoop
    dice: Random
    watcher: Watcher
    hosts: dict[str, Books] = field(default_factory=dict)

    def connector(self, process: Process) -> Connect:
        """`Connect` for one process."""

        async def connect(host: str, port: int, deadline: float) -> SimStream:
            books = self.hosts[host]
            await asyncio.sleep(self.delay(books))
            if books.temper.is_away(self.loop.now):
                books.note("away")
                await self._refuse(books, deadline)
            return SimStream(self, books, process)

        return connect

    def delay(self, books: Books) -> float:
        """Seconds one way."""
        least, most = books.temper.latency
        return least + (most - least) * self.dice.random()

    async def _refuse(self, books: Books, deadline: float) -> None:
        if books.temper.is_black_hole:
            await asyncio.sleep(deadline - self.loop.now)
            raise StageTimeout(
                f"{books.name} did not take a connection in time",
                host=books.name,
                stage=Stage.CONNECT,
            )
        raise ConnectFailed(
            f"cannot connect to {books.name}: Connection refused",
            host=books.name,
            stage=Stage.CONNECT,
        )


class SimStream:
    """A connection, seen from a process; it meets `transport.stream.Stream`."""

    local_address = "192.0.2.7"
    peer_address = "192.0.2.25"
    ssl_object: ssl.SSLObject | None = None
    #: Until it is under TLS.
    sends_files = True

    def __init__(self, network: Network, books: Books, process: Process) -> None:
        self._network = network
        self._loop = network.loop
        self._books = books
        self._process = process
        self._server = ServerSide(books, process.run)
        self._tap = Wiretap()
        self._line = Line(books.name)
        self._arrived = bytearray()
        #: Why no more comes: b"" in order, else a reset.
        self._failure: ConnectionLost | None = None
        self._is_ended = False
        self._is_cut = False
        self._is_deaf = False
        self._is_gone = False
        self._under_way = 0
        #: What arrived at the server and was not read.
        self._unread = b""
        #: How many octets are to be read before a QUIT that was said; None: none was.
        self._before_quit: int | None = None
        #: Whether a file is on its way that the system takes as the network has room.
        self._is_filing = False
        self._out_at = self._in_at = self._loop.now
        self._news: asyncio.Future[None] | None = None
        #: Wakes who waits, at his deadline or sooner: then he looks at the clock, and waits on.
        self._alarm: Ticket | None = None
        self._heard_at = self._loop.now
        books.connections += 1
        network.watcher.connected(process, books.name, 1)
        process.heirs.append(self._orphaned)
        self._answer(self._server.greet(self._loop.now))
        self._watch_idle()

    # What a conversation sees.

    @property
    def is_congested(self) -> bool:
        return self._is_filing or self._under_way > HIGH_WATER

    @property
    def unsent(self) -> int:
        return max(0, self._under_way - _KERNEL)

    @property
    def has_ended(self) -> bool:
        return self._is_cut or (self._is_ended and not self._arrived)

    @property
    def is_quiet(self) -> bool:
        return not (self._arrived or self._is_ended or self._is_cut)

    def write(self, chunks: Iterable[Bytes]) -> int:
        octets = b"".join(chunks)
        if self._is_cut or self._process.is_dead:
            return len(octets)
        self._network.watcher.wrote(self._process, self._books.name, octets)
        heard = [*self._tap.hear(octets)]
        for kind, what in heard:
            self._network.watcher.said(self._process, self._line, kind, what)
        if heard and (way := _way([kind for kind, _ in heard])):
            self._books.note(way)
        if heard and heard[-1][0] == "quit":
            self._quit()
        loop = self._loop
        for piece in self._pieces(octets):
            self._under_way += len(piece)
            self._out_at = at = self._behind(self._out_at)
            loop.call_at(at, self._reach_server, piece, context=loop.world)
        return len(octets)

    def send_file(self, file: SharedFile) -> None:
        assert not self._is_filing, "one file at a time"
        assert self.sends_files, "in plaintext alone"
        self._books.note("file sent by the system")
        self._is_filing = True
        for start in range(0, len(file), _KERNEL):
            self.write([file.content[start : start + _KERNEL]])
            # The next piece is taken when there is room for it.
            self._out_at += self._network.delay(self._books)

    def peek(self) -> bytes:
        octets = bytes(self._arrived)
        self._arrived.clear()
        return octets

    async def read(self, stage: Stage, deadline: float) -> bytes:
        if not self._arrived:
            await self._wait(stage, deadline)
        octets = bytes(self._arrived)
        self._arrived.clear()
        return octets

    async def read_on(
        self, stage: Stage, deadline: float, take: Callable[[bytes], tuple[Stage, float] | None]
    ) -> None:
        awaited: tuple[Stage, float] | None = (stage, deadline)
        while awaited is not None:
            awaited = take(await self.read(*awaited))

    async def drain_or_read(self, stage: Stage, deadline: float) -> bytes | None:
        await self._wait(stage, deadline, or_drained=True)
        return self.peek() if self._arrived or self._is_ended else None

    async def start_tls(self, context: ssl.SSLContext, deadline: float) -> None:
        self.sends_files = False
        await asyncio.sleep(2 * self._network.delay(self._books))
        strike = self._books.temper.strike("tls")
        if strike is not None:
            self._books.note(strike.fault)
            raise TlsFailed(
                f"{self._books.name}: its certificate is not to be trusted",
                host=self._books.name,
                stage=Stage.TLS,
            )

    async def close(self) -> None:
        self._hang_up()

    def abort(self) -> None:
        self._hang_up()

    # What the network does.

    async def _wait(self, stage: Stage, deadline: float, *, or_drained: bool = False) -> None:
        loop = self._loop
        while not (self._arrived or self._is_ended or self._is_cut):
            if or_drained and not self.is_congested:
                break
            if loop.now >= deadline:
                where = self._books.name
                raise StageTimeout(
                    f"{where} gave no answer in time ({stage.value})", host=where, stage=stage
                )
            if self._alarm is None or self._alarm.when() > deadline:
                self._set_alarm(deadline)
            self._news = loop.create_future()
            await self._news
        if self._failure is not None and not self._arrived:
            raise self._failure

    def _set_alarm(self, at: float) -> None:
        """One timer serves for the next answers, too: most of them come in time."""
        if self._alarm is not None:
            self._alarm.cancel()
        context = self._process.context
        self._alarm = self._loop.call_at(at, self._ring, context=context)

    def _ring(self) -> None:
        self._alarm = None
        self._tell()

    def _pieces(self, octets: bytes) -> list[bytes]:
        splitting = self._books.temper.splitting
        dice = self._network.dice
        if not splitting or len(octets) < 2 or dice.random() >= splitting:
            return [octets]
        self._books.note("split")
        cuts = sorted(
            {dice.randrange(1, len(octets)) for _ in range(dice.randint(1, _MOST_PIECES))}
        )
        return [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]

    def _quit(self) -> None:
        """QUIT is said. Where replies are owed by then, one connection of a process tries it."""
        self._before_quit = self._under_way + len(self._unread)
        if not self._before_quit and self._in_at <= self._loop.now:
            return
        books, name = self._books, self._process.name
        books.note("spoken ahead of replies: QUIT")
        if books.quits.get(name) is False:
            books.rash.append(name)
        books.quits.setdefault(name, not self._before_quit)

    def _reach_server(self, octets: bytes) -> None:
        self._under_way -= len(octets)
        self._is_filing &= self.unsent > 0
        self._unread += octets
        if not (pause := self._books.temper.reads_after):
            self._be_read()
        elif len(self._unread) == len(octets):
            self._later(self._loop.now + pause, self._be_read)
        self._tell()

    def _be_read(self) -> None:
        octets, self._unread = self._unread, b""
        if not self._is_deaf and not self._is_gone:
            self._heard_at = self._loop.now
            self._answer(self._server.feed(octets, self._loop.now))
            if self._before_quit is not None:
                self._before_quit -= len(octets)
                if self._before_quit <= 0 and not self._server.is_shocked:
                    self._books.quits[self._process.name] = True

    def _answer(self, deeds: list[Deed]) -> None:
        said = b""
        for deed in deeds:
            if isinstance(deed, bytes):
                said += deed
                continue
            self._is_deaf = True
            if deed is not Act.STALL:
                self._send(said)
                said = b""
                self._in_at = self._behind(self._in_at)
                self._later(self._in_at, self._reach_end, deed)
                self._leave_server()
        self._send(said)

    def _send(self, octets: bytes) -> None:
        loop = self._loop
        for piece in self._pieces(octets) if octets else ():
            self._in_at = at = self._behind(self._in_at)
            loop.call_at(at, self._reach_client, piece, context=loop.world)

    def _reach_client(self, octets: bytes) -> None:
        if not self._is_cut:
            self._arrived += octets
            self._tell()

    def _reach_end(self, how: Act) -> None:
        if how is Act.RESET and not self._is_cut:
            where = self._books.name
            self._failure = ConnectionLost(f"the connection to {where} was lost", host=where)
        self._is_ended = True
        self._tell()

    def _hang_up(self) -> None:
        """Our end is closed: what was written still arrives, then the server sees the end."""
        if not self._is_cut:
            self._close()
            self._tell()
            if self._orphaned in self._process.heirs:
                self._process.heirs.remove(self._orphaned)

    def _orphaned(self) -> None:
        """The process died: the kernel closes."""
        self._close()

    def _close(self) -> None:
        self._is_cut = True
        if self._alarm is not None:
            self._alarm.cancel()
        self._network.watcher.connected(self._process, self._books.name, -1)
        # What is on its way is read before.
        pause = 2 * self._books.temper.reads_after
        self._later(max(self._out_at, self._loop.now) + pause, self._leave_server)

    def _leave_server(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._books.connections -= 1

    def _watch_idle(self) -> None:
        limit = self._books.temper.idle_limit
        if limit and not self._is_gone and not self._is_deaf:
            if self._loop.now >= self._heard_at + limit:
                self._answer(self._server.grow_tired())
            else:
                self._later(self._heard_at + limit, self._watch_idle)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _behind(self, last: float) -> float:
        """When a piece arrives that is sent now: no sooner than the one before it."""
        least, most = self._books.temper.latency
        at = self._loop.now + (least + (most - least) * self._network.dice.random())
        return max(last, at)

    def _later(self, at: float, call: Callable[..., None], *arguments: object) -> None:
        self._loop.call_at(at, call, *arguments, context=self._loop.world)


def _way(kinds: Sequence[str]) -> str:
    """How a message is spoken, by what is said in one write; "": not in it."""
    if "mail" not in kinds:
        return ""
    if kinds[0] == "dot":
        return "spoken glued: MAIL behind a final dot"
    if "dot" in kinds:
        return f"spoken ahead of replies: BDAT{', several' if kinds.count('dot') > 1 else ''}"
    return "spoken in groups" if "rcpt" in kinds else "spoken in lockstep"
