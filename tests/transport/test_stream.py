"""The stream, and sessions over it, against real sockets that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
import uvloop
from support.real_server import LOOPBACK, Peer, serving

from bulkmail.clock import SystemClock
from bulkmail.errors import ConnectFailed, ConnectionLost, ProtocolViolation, StageTimeout
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.stage import Stage
from bulkmail.transport.session import Session
from bulkmail.transport.stream import SmtpStream

#: Seconds; nobody waits for it but those who are kept waiting.
SHORT = 0.1
#: Seconds after which a test has hung.
PATIENCE = 300.0
BIG = b"x" * 76 + b"\r\n"

Make = Callable[..., MailObject]


@pytest.fixture
def settings() -> ServerSettings:
    return ServerSettings(
        name="real",
        host=LOOPBACK,
        port=0,
        security=Security.NONE,
        local_hostname="me.example",
        timeout=PATIENCE,
        data_timeout=PATIENCE,
    )


@pytest.fixture
async def lapse(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has the time for whatever is awaited go by at once, however long all before it took."""
    loop = asyncio.get_running_loop()
    real_time = loop.time
    lapses: list[float] = []
    monkeypatch.setattr(loop, "time", lambda: real_time() + sum(lapses))
    return lambda: lapses.append(PATIENCE)


async def open_at(settings: ServerSettings, port: int, **changed: float) -> Session:
    return await Session.open(replace(settings, port=port, **changed), clock=SystemClock())  # type: ignore[arg-type]  # only times


async def unmarked() -> None:
    """No ledger here."""


def later() -> float:
    return asyncio.get_running_loop().time() + PATIENCE


async def test_nobody_listening_is_a_failed_connection() -> None:
    with socket.socket() as idle:
        idle.bind((LOOPBACK, 0))
        port = idle.getsockname()[1]
        with pytest.raises(ConnectFailed, match="Connection refused") as caught:
            await SmtpStream.connect(LOOPBACK, port, later())

    assert "`bulkmail sink` starts a server to practise with" in str(caught.value)
    assert isinstance(caught.value, ConnectionError)
    assert (caught.value.stage, caught.value.host) == ("connect", f"{LOOPBACK}:{port}")


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example", "under..dots"])
async def test_a_host_that_is_none_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def lookup(name: str, *rest: object, **more: object) -> object:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    with pytest.raises(ConnectFailed, match="cannot connect to"):
        await SmtpStream.connect(host, 25, later())


@pytest.mark.parametrize("port", [-1, 70000])
async def test_a_port_that_is_none_is_a_failed_connection(port: int) -> None:
    with pytest.raises(ConnectFailed):
        await SmtpStream.connect(LOOPBACK, port, later())


async def test_a_connection_that_is_not_taken_in_time_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*rest: object, **more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)

    with pytest.raises(StageTimeout, match="did not take a connection") as caught:
        await SmtpStream.connect(LOOPBACK, 25, asyncio.get_running_loop().time() + SHORT)

    assert isinstance(caught.value, TimeoutError)
    assert caught.value.stage == "connect"


async def test_each_address_has_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, lapse: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def black_hole(make: object, host: str, *rest: object, **more: object) -> object:
        if host == "192.0.2.1":
            lapse()
            await asyncio.Event().wait()
        return await connect(make, host, *rest, **more)  # type: ignore[call-overload]  # passed on

    async def behave(peer: Peer) -> None:
        await peer.hears()

    async def lookup(*rest: object, **more: object) -> object:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("192.0.2.1", 25)), (*kind, (LOOPBACK, 25))]

    async with serving(behave) as port:
        monkeypatch.setattr(loop, "create_connection", black_hole)
        monkeypatch.setattr(loop, "getaddrinfo", lookup)
        stream = await SmtpStream.connect("two.example", port, loop.time() + 2 * PATIENCE)
        stream.abort()

    assert stream.peer_address == LOOPBACK


async def test_peek_gives_what_has_arrived_and_never_waits() -> None:
    may_speak = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await may_speak.wait()
        await peer.says("220 hi")
        await peer.hears()

    async with serving(behave) as port:
        stream = await SmtpStream.connect(LOOPBACK, port, later())
        assert stream.peek() == b""
        may_speak.set()
        async with asyncio.timeout(PATIENCE):
            while not (data := stream.peek()):  # noqa: ASYNC110  # the arrival is not ours to see
                await asyncio.sleep(0)
        stream.abort()

    assert data == b"220 hi\r\n"


async def test_a_reply_takes_no_buffer_that_is_made_for_it() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        stream = await SmtpStream.connect(LOOPBACK, server.getsockname()[1], later())
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"220 hi\r\n")
            tracemalloc.start()
            try:
                data = await stream.read(Stage.GREETING, later())
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
                stream.abort()

    assert data == b"220 hi\r\n"
    # asyncio asks the system for so much at a time.
    assert peak < 262_144


async def test_a_cancelled_read_loses_no_byte() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hears()
        await peer.says("250 ok")
        await peer.hears()

    async with serving(behave) as port:
        stream = await SmtpStream.connect(LOOPBACK, port, later())
        reading = asyncio.create_task(stream.read(Stage.NOOP, later()))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        stream.write([b"NOOP\r\n"])
        data = await stream.read(Stage.NOOP, later())
        stream.abort()

    assert data == b"250 ok\r\n"


async def test_addresses_are_the_socket_s() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hears()

    async with serving(behave) as port:
        stream = await SmtpStream.connect(LOOPBACK, port, later())
        await stream.close()

    assert (stream.local_address, stream.peer_address) == (LOOPBACK, LOOPBACK)


async def test_a_reset_is_told_after_what_came_before_it(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(500_000)
        await peer.says("552 5.3.4 too big")
        # With bytes unread, closing resets the connection.

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        result = await session.send(mail_object(content=BIG * 200_000), unmarked)

    assert str(result.end_of_data) == "552 5.3.4 too big"
    assert not session.is_reusable


async def test_content_of_any_size_arrives_whole(
    settings: ServerSettings, mail_object: Make
) -> None:
    received = bytearray()

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        while not received.endswith(b"\r\n.\r\n"):
            received.extend(await peer.reader.read(65536))
            await asyncio.sleep(0)
        await peer.says("250 queued")
        await peer.hears()

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        result = await session.send(mail_object(content=BIG * 100_000), unmarked)
        session.abort()

    assert result.is_accepted
    assert bytes(received) == BIG * 100_000 + b".\r\n"


async def test_a_server_that_stops_reading_cannot_hang_a_session(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await asyncio.Event().wait()

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port, data_timeout=SHORT)
        with pytest.raises(StageTimeout) as caught:
            await session.send(mail_object(content=BIG * 200_000), unmarked)

    assert caught.value.stage == "data"
    assert not session.is_reusable


async def test_a_server_that_says_nothing_to_small_content_is_in_doubt(
    settings: ServerSettings, mail_object: Make, lapse: Callable[[], None]
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.takes_content()
        lapse()
        await asyncio.Event().wait()

    async with serving(behave) as port, asyncio.timeout(3 * PATIENCE):
        session = await open_at(settings, port)
        with pytest.raises(StageTimeout) as caught:
            await session.send(mail_object(), unmarked)

    assert caught.value.stage == "end of data"


@pytest.mark.parametrize("drop", ["2", "250-still here\r\n"])
async def test_a_server_that_drips_does_not_extend_the_deadline(
    settings: ServerSettings, lapse: Callable[[], None], drop: str
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.hears()
        lapse()
        while True:
            peer.writer.write(drop.encode())
            await asyncio.sleep(SHORT / 20)

    async with serving(behave) as port, asyncio.timeout(3 * PATIENCE):
        session = await open_at(settings, port)
        with pytest.raises(StageTimeout) as caught:
            await session.noop()

    assert caught.value.stage == "noop"


async def test_a_server_that_drips_while_content_is_written_does_not_extend_the_deadline(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        while True:
            peer.writer.write(b"552-no\r\n")
            await asyncio.sleep(SHORT / 20)

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port, data_timeout=SHORT)
        with pytest.raises(StageTimeout) as caught:
            await session.send(mail_object(content=BIG * 200_000), unmarked)

    assert caught.value.stage == "data"


async def test_an_endless_reply_is_cut_off(settings: ServerSettings) -> None:
    async def behave(peer: Peer) -> None:
        while True:
            await peer.says(*["220-hello"] * 2000)

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        with pytest.raises(ProtocolViolation, match="more than"):
            await open_at(settings, port)


async def test_a_connection_cut_while_big_content_is_written_is_no_doubt(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(100_000)

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        with pytest.raises(ConnectionLost) as caught:
            await session.send(mail_object(content=BIG * 200_000), unmarked)

    assert caught.value.stage == "data"


async def test_a_connection_cut_behind_the_final_dot_is_in_doubt(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.takes_content()

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        with pytest.raises(ConnectionLost) as caught:
            await session.send(mail_object(), unmarked)

    assert caught.value.stage == "end of data"


def test_uvloop_s_connections_do_as_asyncio_s(settings: ServerSettings, mail_object: Make) -> None:
    taken: list[bytes] = []

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        taken.append(await peer.reader.readexactly(len(BIG) * 50_000 + len(b".\r\n")))
        await peer.says("250 queued")

    async def send() -> None:
        async with serving(behave) as port, asyncio.timeout(PATIENCE):
            session = await open_at(settings, port)
            result = await session.send(mail_object(content=BIG * 50_000), unmarked)
            assert result.is_accepted
            with pytest.raises(ConnectionLost):
                await session.noop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send())

    assert taken == [BIG * 50_000 + b".\r\n"]


async def test_an_acceptance_in_the_middle_of_the_content_is_in_doubt(
    settings: ServerSettings, mail_object: Make
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(1000)
        await peer.says("250 queued")
        await asyncio.Event().wait()

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        with pytest.raises(ProtocolViolation, match="before its end") as caught:
            await session.send(mail_object(content=BIG * 200_000), unmarked)

    assert caught.value.stage == "end of data"


async def test_a_cancelled_big_write_cuts_the_connection(
    settings: ServerSettings, mail_object: Make
) -> None:
    is_written = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.greets()
        await peer.takes_envelope()
        await peer.reader.readexactly(1000)
        is_written.set()
        await asyncio.Event().wait()

    async with serving(behave) as port, asyncio.timeout(PATIENCE):
        session = await open_at(settings, port)
        sending = asyncio.create_task(session.send(mail_object(content=BIG * 200_000), unmarked))
        await is_written.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert not session.is_reusable


async def test_a_server_that_ignores_quit_is_left_in_time(
    settings: ServerSettings, lapse: Callable[[], None]
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.greets()
        assert await peer.hears() == b"QUIT\r\n"
        lapse()
        await asyncio.Event().wait()

    async with serving(behave) as port, asyncio.timeout(3 * PATIENCE):
        session = await open_at(settings, port)
        await session.quit()

    assert not session.is_reusable


async def test_what_was_said_before_a_reset_is_read_though_a_write_came_between() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        stream = await SmtpStream.connect(LOOPBACK, port, loop.time() + 10)
        peer, _ = listener.accept()
        peer.sendall(b"250 taken\r\n421 enough\r\n")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

        # The loop has had no chance to read; the first write meets the reset.
        stream.write([b"MAIL FROM:<a@x.example>\r\n"])
        stream.write([b"MAIL FROM:<a@x.example>\r\n"])

        said = await stream.read(Stage.MAIL, loop.time() + 10)
        with pytest.raises(ConnectionLost):
            await stream.read(Stage.MAIL, loop.time() + 10)
        stream.abort()

    assert said == b"250 taken\r\n421 enough\r\n"
