import asyncio
from collections.abc import AsyncIterator

import pytest
from support.pool_fakes import FakeServer, FakeSession, cancel, settle

from bulkmail.delivery.ports import Session, Transport
from bulkmail.errors import ConnectionLost
from bulkmail.transport.idle_sessions import IDLE_TIMEOUT
from bulkmail.transport.pooled_session import PooledSession


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    yield server
    await server.close()


async def test_pool_is_a_transport(server: FakeServer) -> None:
    transport: Transport = server.make_pool()

    session: Session = await transport.acquire()

    assert transport.name == "mx:25"
    await transport.release(session)


async def test_repr_counts_sessions_and_waiters(server: FakeServer) -> None:
    pool = server.make_pool(connections=3)
    held = [await pool.acquire() for _ in range(3)]
    waiter = asyncio.create_task(pool.acquire())
    await settle()

    assert repr(pool) == "<SessionPool mx:25 | 3 active, 0 idle, 1 waiting>"

    await pool.release(held[0])
    await waiter
    await pool.release(held[1])
    assert repr(pool) == "<SessionPool mx:25 | 2 active, 1 idle, 0 waiting>"

    server.gate.clear()
    opening = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    server.sessions[2].transactions = 100
    server.sessions[2].goodbye.clear()
    await pool.release(held[2])
    await settle()
    assert repr(pool) == "<SessionPool mx:25 | 2 active, 0 idle, 1 waiting, 1 closing>"

    for task in opening:
        if not task.done():
            await cancel(task)


async def test_a_session_is_used_again_and_the_last_one_first(server: FakeServer) -> None:
    pool = server.make_pool()
    first, second = await pool.acquire(), await pool.acquire()

    await pool.release(first)
    await pool.release(second)

    assert await pool.acquire() is second
    assert await pool.acquire() is first
    assert server.tries == 2


async def test_no_more_sessions_are_opened_than_connections(server: FakeServer) -> None:
    pool = server.make_pool(connections=2)
    held = [await pool.acquire(), await pool.acquire()]

    waiters = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await settle()

    assert server.tries == 2
    assert not any(waiter.done() for waiter in waiters)
    await pool.release(held[0])
    assert await waiters[0] is held[0]
    for waiter in waiters[1:]:
        await cancel(waiter)


async def test_who_waits_is_served_in_turn_and_not_overtaken(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    first = asyncio.create_task(pool.acquire())
    await settle()

    await pool.release(session)
    newcomer = asyncio.create_task(pool.acquire())
    await settle()

    assert first.done()
    assert not newcomer.done()
    await pool.release(await first)
    assert await newcomer is session


async def test_a_session_that_is_not_reusable_is_cut_and_replaced(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    broken = await pool.acquire()
    server.sessions[0].is_reusable = False

    await pool.release(broken)

    assert await pool.acquire() is not broken
    assert server.sessions[0].did == ["abort"]


async def test_a_session_that_has_said_quit_counts_until_that_is_answered(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    leaving = server.sessions[0]
    leaving.is_reusable, leaving.has_left = False, True
    leaving.goodbye.clear()

    await pool.release(session)
    waiter = asyncio.create_task(pool.acquire())
    await settle()

    assert leaving.did == ["quit"]
    assert not waiter.done()
    leaving.goodbye.set()
    assert await waiter is not session


async def test_a_session_that_broke_while_idle_is_not_handed_out(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    await pool.release(session)

    server.sessions[0].is_reusable = False

    assert await pool.acquire() is not session
    assert server.sessions[0].did == ["abort"]


async def test_a_session_that_is_too_old_by_the_clock_is_not_handed_out(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    await pool.release(session)

    # The machine slept: time went on, and nobody was woken.
    server.clock.now += IDLE_TIMEOUT

    assert await pool.acquire() is not session
    assert server.sessions[0].did == ["quit", "abort"]


@pytest.mark.parametrize(
    ("limit", "transactions", "kept"), [(3, 2, True), (3, 3, False), (0, 10_000, True)]
)
async def test_messages_per_connection_end_a_session(
    server: FakeServer, limit: int, transactions: int, *, kept: bool
) -> None:
    pool = server.make_pool(connections=1, messages_per_connection=limit)
    session = await pool.acquire()
    server.sessions[0].transactions = transactions

    await pool.release(session)

    assert (await pool.acquire() is session) is kept
    assert server.sessions[0].did == ([] if kept else ["quit", "abort"])


@pytest.mark.parametrize(("age", "kept"), [(299.9, True), (300.0, False)])
async def test_connection_lifetime_ends_a_session(
    server: FakeServer, age: float, *, kept: bool
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    await server.clock.advance(age)

    await pool.release(session)

    assert (await pool.acquire() is session) is kept
    assert server.sessions[0].did == ([] if kept else ["quit", "abort"])


async def test_a_server_that_does_not_answer_quit_delays_nobody_who_has_a_slot(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.transport.pool.QUIT_TIMEOUT", 3600.0)
    server.is_polite = False
    pool = server.make_pool(connections=2, messages_per_connection=1)
    session = await pool.acquire()
    server.sessions[0].transactions = 1

    async with asyncio.timeout(60):
        await pool.release(session)
        await pool.acquire()

    assert repr(pool) == "<SessionPool mx:25 | 1 active, 0 idle, 0 waiting, 1 closing>"


async def test_a_session_counts_until_its_quit_is_over(server: FakeServer) -> None:
    pool = server.make_pool(connections=1, messages_per_connection=1)
    session = await pool.acquire()
    server.sessions[0].transactions = 1
    server.sessions[0].goodbye.clear()
    await pool.release(session)

    waiter = asyncio.create_task(pool.acquire())
    await settle()
    assert server.tries == 1

    server.sessions[0].goodbye.set()
    assert await waiter is not session


async def test_quit_without_an_answer_ends_in_a_cut(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.transport.pool.QUIT_TIMEOUT", 0.01)
    server.is_polite = False
    pool = server.make_pool(connections=1, messages_per_connection=1)
    session = await pool.acquire()
    server.sessions[0].transactions = 1
    await pool.release(session)

    assert await pool.acquire() is not session
    assert server.sessions[0].did == ["quit", "abort"]


async def test_quit_on_a_lost_connection_is_no_news(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def quit_lost(session: FakeSession) -> None:
        session.did.append("quit")
        raise ConnectionLost("mx:25 closed the connection at quit")

    monkeypatch.setattr(FakeSession, "quit", quit_lost)
    pool = server.make_pool()
    await pool.release(await pool.acquire())

    await pool.close()

    assert server.sessions[0].did == ["quit", "abort"]


async def test_one_session_is_tried_before_many_are_opened(server: FakeServer) -> None:
    server.gate.clear()
    pool = server.make_pool(connections=8)
    workers = [asyncio.create_task(pool.acquire()) for _ in range(8)]
    await settle()
    assert repr(pool) == "<SessionPool mx:25 | 0 active, 0 idle, 7 waiting, 1 opening>"

    server.gate.set()
    await asyncio.gather(*workers)

    assert repr(pool) == "<SessionPool mx:25 | 8 active, 0 idle, 0 waiting>"


@pytest.mark.parametrize(
    ("begun", "besides", "limit", "kept"),
    [(0, 0, 1, True), (0, 1, 1, False), (2, 0, 3, True), (2, 1, 3, False), (500, 9, 0, True)],
)
async def test_a_session_keeps_as_many_messages_as_a_connection_may_take(
    server: FakeServer, begun: int, besides: int, limit: int, kept: bool
) -> None:
    pool = server.make_pool(messages_per_connection=limit)
    session = await pool.acquire()
    server.sessions[0].transactions = begun

    assert pool.keeps(session, besides) is kept
    await pool.release(session)


async def test_a_session_that_had_its_share_is_closed_and_another_one_opened(
    server: FakeServer,
) -> None:
    pool = server.make_pool()
    session = await pool.acquire()

    pool.spend(session)
    keeps = pool.keeps(session)
    await pool.release(session)
    another = await pool.acquire()

    assert not keeps
    assert another is not session
    assert pool.keeps(another)
    await pool.release(another)
    assert await pool.acquire() is another


class OneIdentity(FakeServer):
    """All its sessions are one object, as a new one may stand where a former one stood."""

    async def open_session(self) -> PooledSession:
        if not self.sessions:
            return await super().open_session()
        (session,) = self.sessions
        session.is_reusable = True
        return session


async def test_that_a_session_had_its_share_is_not_held_against_who_comes_in_its_place() -> None:
    server = OneIdentity()
    pool = server.make_pool()
    first = await pool.acquire()
    pool.spend(first)
    await pool.release(first)
    await settle()

    another = await pool.acquire()

    assert pool.keeps(another)
    await pool.release(another)
    await server.close()


async def test_a_session_that_is_too_old_or_of_a_closed_pool_keeps_no_more(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connection_lifetime=10.0)
    session = await pool.acquire()
    was_kept = pool.keeps(session)

    await server.clock.advance(10.0)

    assert was_kept
    assert not pool.keeps(session)
    await pool.release(session)
    assert not pool.keeps(session)


async def test_what_can_be_sent_ahead_is_the_session_s_to_say(server: FakeServer) -> None:
    pool = server.make_pool()
    session = await pool.acquire()

    has_follower, has_window = pool.followed(session), pool.windowed(session)
    server.sessions[0].window = 4
    server.sessions[0].takes_followers = False

    assert has_follower is session
    assert has_window is None
    assert pool.followed(session) is None
    assert pool.windowed(session) is session
    await pool.release(session)
