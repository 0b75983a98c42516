"""Files that the system sends, against real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import uvloop
from support.real_server import LOOPBACK, Peer, serving

from bulkmail.clock import SystemClock
from bulkmail.errors import ConnectionLost, StageTimeout
from bulkmail.message.files.enclosure import Enclosure
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.stage import Stage
from bulkmail.transport.file_sending import FileSending
from bulkmail.transport.inbox import Inbox, InboxProtocol
from bulkmail.transport.session import Session
from bulkmail.transport.stream import HIGH_WATER, SmtpStream
from bulkmail.transport.trust import Level, Trust

#: Seconds; nobody waits for it but those who are kept waiting.
SHORT = 0.1
#: Seconds after which a test has hung.
PATIENCE = 300.0
#: Much more than the sockets of both sides hold.
BODY = b"".join(b"%076d\r\n" % number for number in range(400_000))
#: Octets of it that the system sends at least: the transport is given some where no room is.
NEARLY = 9 * len(BODY) // 10
HEAD = b"Subject: hi\r\n\r\n"
TAIL = b"\r\n--end--\r\n"
CONTENT = HEAD + BODY + TAIL
SERVER = ServerSettings(
    name="real",
    host=LOOPBACK,
    port=0,
    security=Security.NONE,
    local_hostname="me.example",
    timeout=PATIENCE,
    data_timeout=PATIENCE,
)

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run_one(scenario: Callable[[], Awaitable[None]]) -> None:
        async def in_time() -> None:
            async with asyncio.timeout(PATIENCE):
                await scenario()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(in_time())

    return run_one


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The octets that the system sent, call by call."""
    counts: list[int] = []
    sendfile = os.sendfile

    def counted(*arguments: int) -> int:
        counts.append(count := sendfile(*arguments))
        return count

    monkeypatch.setattr(os, "sendfile", counted)
    return counts


def message(*, is_known: bool = True) -> MailObject:
    shared = SharedFile(BODY)
    if is_known:
        shared.opens()
    file = Enclosure(name="a", size=1, sha256="", body=BODY, shared=shared)
    return MailObject(
        Envelope("a@x.example", ("b@y.example",)),
        (HEAD, BODY, TAIL),
        message_id="<1@x.example>",
        has_dot_line=False,
        files=(file,),
    )


async def open_at(port: int, trust: Trust | None = None, **changed: float) -> Session:
    settings = replace(SERVER, port=port, **changed)  # type: ignore[arg-type]  # only times
    return await Session.open(settings, clock=SystemClock(), trust=trust)


async def unmarked() -> None:
    """No ledger here."""


def test_a_message_with_a_file_arrives_whole(run: Run, sent: list[int]) -> None:
    received = []

    async def behave(peer: Peer) -> None:
        await peer.greets()
        for _ in range(2):
            await peer.takes_envelope()
            received.append(await peer.reader.readexactly(len(CONTENT) + len(b".\r\n")))
            await peer.says("250 queued")
        await peer.hears()

    async def scenario() -> None:
        mail = message(is_known=False)
        async with serving(behave) as port:
            session = await open_at(port)
            results = [await session.send(mail, unmarked) for _ in range(2)]
            assert session.is_reusable
            session.abort()
        assert all(result.is_accepted for result in results)

    run(scenario)

    assert received == [CONTENT + b".\r\n"] * 2
    assert sum(sent) > NEARLY


def test_what_waits_for_other_connections_goes_out_before_the_file(
    run: Run, sent: list[int]
) -> None:
    received = []

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        received.append(await peer.reader.readexactly(len(CONTENT) + len(b".\r\n")))
        await peer.says("250 queued")

    async def scenario() -> None:
        async with serving(behave) as port:
            session, other = await open_at(port), await open_at(port)
            assert (await session.send(message(), unmarked)).is_accepted
            session.abort()
            other.abort()

    run(scenario)

    assert received == [CONTENT + b".\r\n"]
    assert sum(sent) > NEARLY


def test_whole_messages_ahead_arrive_in_their_order(run: Run, sent: list[int]) -> None:
    received = []

    async def behave(peer: Peer) -> None:
        await peer.greets("PIPELINING", "CHUNKING")
        for _ in range(3):
            received.extend([await peer.hears(), await peer.hears(), await peer.hears()])
            received.append(await peer.reader.readexactly(len(CONTENT)))
        await peer.says(*["250 ok"] * 9)
        await peer.hears()

    async def scenario() -> None:
        mail = message()
        async with serving(behave) as port:
            trust = Trust()
            trust.kept(Level.WINDOW)
            session = await open_at(port, trust)
            for _ in range(3):
                await session.post(mail)
            results = [await session.settle() for _ in range(3)]
            session.abort()
        assert all(result.is_accepted for result in results)

    run(scenario)

    bdat = b"BDAT %d LAST\r\n" % len(CONTENT)
    envelope = [b"MAIL FROM:<a@x.example>\r\n", b"RCPT TO:<b@y.example>\r\n"]
    assert received == [*envelope, bdat, CONTENT] * 3
    assert sum(sent) > NEARLY * 3


def test_behind_a_file_as_much_may_wait_to_be_sent_as_before(run: Run) -> None:
    async def behave(peer: Peer) -> None:
        await peer.reader.readexactly(len(HEAD) + len(BODY))
        await asyncio.Event().wait()

    async def scenario() -> None:
        file = SharedFile(BODY)
        file.opens()
        assert file.opens()
        loop = asyncio.get_running_loop()
        async with serving(behave) as port:
            stream = await SmtpStream.connect(LOOPBACK, port, loop.time() + PATIENCE)
            stream.write([HEAD])
            stream.send_file(file)
            while stream.is_congested:
                assert await stream.drain_or_read(Stage.DATA, loop.time() + PATIENCE) is None
            assert stream.unsent == 0
            while not stream.unsent:
                stream.write([bytes(HIGH_WATER // 4)])
            # Less than is much, and nobody reads it.
            assert await stream.drain_or_read(Stage.DATA, loop.time() + PATIENCE) is None
            assert stream.unsent
            stream.abort()

    run(scenario)


class Writer(asyncio.WriteTransport):
    """asyncio's, of which so many octets were not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 1

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (0, None)

    def is_closing(self) -> bool:
        return False


def test_a_file_goes_out_behind_what_was_written_before(run: Run) -> None:
    async def scenario() -> None:
        file, writer = SharedFile(b"file"), Writer()
        assert [file.opens(), file.opens()] == [False, True]
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[OSError | None] = loop.create_future()
        protocol = InboxProtocol(Inbox(loop), loop)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            sending = FileSending(file, writer, ours.fileno(), protocol, ended.set_result)
            sending.begin(b"")
            protocol.pause_writing()
            assert sending.left == 4
            writer.waiting = 0
            protocol.resume_writing()
            assert await ended is None
            assert theirs.recv(99) == b"file"
        assert protocol.on_room is None

    run(scenario)


@pytest.mark.parametrize("most", [0, 300_000], ids=["nothing", "a little"])
def test_a_file_goes_on_where_the_system_took_less(
    run: Run, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    calls: list[int] = []
    received = []
    sendfile = os.sendfile

    def sparing(out: int, source: int, offset: int, count: int) -> int:
        calls.append(count)
        if not most and len(calls) % 2:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return sendfile(out, source, offset, min(count, most or count))

    monkeypatch.setattr(os, "sendfile", sparing)

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        received.append(await peer.reader.readexactly(len(CONTENT) + len(b".\r\n")))
        await peer.says("250 queued")

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            assert (await session.send(message(), unmarked)).is_accepted
            session.abort()

    run(scenario)

    assert received == [CONTENT + b".\r\n"]
    assert len(calls) > 1


def test_a_refusal_in_the_middle_of_a_file_is_the_result(run: Run) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(500_000)
        await peer.says("552 5.3.4 too big")
        # Nothing more is read, and the connection stays.
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            result = await session.send(message(), unmarked)
        assert str(result.end_of_data) == "552 5.3.4 too big"
        assert not session.is_reusable

    run(scenario)


def test_a_refusal_and_a_reset_in_the_middle_of_a_file_are_the_refusal(run: Run) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(500_000)
        await peer.says("552 5.3.4 too big")
        # With bytes unread, closing resets the connection.

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            result = await session.send(message(), unmarked)
        assert str(result.end_of_data) == "552 5.3.4 too big"

    run(scenario)


def test_a_connection_cut_in_the_middle_of_a_file_is_no_doubt(run: Run) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(100_000)

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            with pytest.raises(ConnectionLost) as caught:
                await session.send(message(), unmarked)
        assert caught.value.stage == "data"

    run(scenario)


def test_a_connection_cut_in_the_middle_of_a_file_ahead_leaves_none_in_doubt(run: Run) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets("PIPELINING", "CHUNKING")
        await peer.reader.readexactly(100_000)

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            await session.post(message())
            await session.post(message())
            for _ in range(2):
                with pytest.raises(ConnectionLost) as caught:
                    await session.settle()
                assert caught.value.stage == "mail"

    run(scenario)


def test_a_file_that_cannot_be_sent_is_a_lost_connection(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(len(HEAD))
        await asyncio.Event().wait()

    def broken(*arguments: int) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    async def scenario() -> None:
        monkeypatch.setattr(os, "sendfile", broken)
        async with serving(behave) as port:
            session = await open_at(port)
            with pytest.raises(ConnectionLost, match="Broken pipe") as caught:
                await session.send(message(), unmarked)
        assert caught.value.stage == "data"

    run(scenario)


@pytest.mark.parametrize("drop", [b"", b"552-no\r\n"], ids=["silent", "dripping"])
def test_a_server_that_reads_no_file_cannot_hang_a_session(run: Run, drop: bytes) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(len(HEAD))
        while drop:
            peer.writer.write(drop)
            await asyncio.sleep(SHORT / 20)
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port, data_timeout=SHORT)
            with pytest.raises(StageTimeout) as caught:
                await session.send(message(), unmarked)
        assert caught.value.stage == "data"
        assert not session.is_reusable

    run(scenario)


def test_a_cancelled_file_cuts_the_connection(run: Run) -> None:
    ends = []

    async def scenario() -> None:
        is_under_way, is_over = asyncio.Event(), asyncio.Event()

        async def behave(peer: Peer) -> None:
            await peer.greets()
            await peer.takes_envelope()
            await peer.reader.readexactly(1000)
            is_under_way.set()
            rest = await peer.reader.read(-1)
            ends.append(rest[-3:])
            is_over.set()

        async with serving(behave) as port:
            session = await open_at(port)
            sending = asyncio.create_task(session.send(message(), unmarked))
            await is_under_way.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await is_over.wait()
        assert not session.is_reusable

    run(scenario)

    assert ends
    assert ends != [b".\r\n"]


def test_what_the_system_does_not_send_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", _refused)
    received = []

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        received.append(await peer.reader.readexactly(len(CONTENT) + len(b".\r\n")))
        await peer.says("250 queued")

    async def scenario() -> None:
        async with serving(behave) as port:
            session = await open_at(port)
            assert (await session.send(message(), unmarked)).is_accepted
            session.abort()

    run(scenario)

    assert received == [CONTENT + b".\r\n"]


def _refused(*arguments: int) -> int:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
