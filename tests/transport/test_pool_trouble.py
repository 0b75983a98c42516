"""The pool when things go wrong: failed openings, cancellation at each await, closing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.pool_fakes import FakeServer, FakeSession, cancel, settle

from bulkmail.errors import AuthenticationFailed, ConnectFailed, ConnectionLost, SessionError
from bulkmail.transport.idle_sessions import IDLE_TIMEOUT


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    yield server
    await server.close()


async def test_an_idle_session_is_closed_after_a_while(server: FakeServer) -> None:
    pool = server.make_pool()
    await pool.release(await pool.acquire())
    await settle()

    await server.clock.advance(IDLE_TIMEOUT - 1)
    assert server.sessions[0].did == []

    await server.clock.advance(1)
    assert server.sessions[0].did == ["quit", "abort"]
    assert repr(pool) == "<SessionPool mx:25 | 0 active, 0 idle, 0 waiting>"


async def test_idle_sessions_are_watched_again_after_all_were_closed(server: FakeServer) -> None:
    pool = server.make_pool()
    for _ in range(2):
        await pool.release(await pool.acquire())
        await settle()
        await server.clock.advance(IDLE_TIMEOUT)

    assert [session.did for session in server.sessions] == [["quit", "abort"]] * 2


async def test_lifetime_closes_an_idle_session_as_well(server: FakeServer) -> None:
    pool = server.make_pool(connection_lifetime=20.0)
    session = await pool.acquire()
    await server.clock.advance(15)
    await pool.release(session)
    await settle()

    await server.clock.advance(5)

    assert server.sessions[0].did == ["quit", "abort"]


async def test_a_failed_opening_frees_its_slot(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    server.trouble = ConnectFailed("mx:25 refused the connection", host="mx:25")

    with pytest.raises(ConnectFailed):
        await pool.acquire()

    server.trouble = None
    await pool.acquire()


async def test_a_refused_login_is_tried_once_whatever_the_number_of_connections(
    server: FakeServer,
) -> None:
    server.trouble = AuthenticationFailed("refused: 535", code=535, hint="an app password")
    pool = server.make_pool(connections=8)

    outcomes = await asyncio.gather(*(pool.acquire() for _ in range(20)), return_exceptions=True)
    with pytest.raises(AuthenticationFailed) as later:
        await pool.acquire()

    assert server.tries == 1
    assert all(isinstance(outcome, AuthenticationFailed) for outcome in outcomes)
    assert (later.value.code, later.value.hint, str(later.value)) == (
        535,
        "an app password",
        "refused: 535",
    )


async def test_a_login_refused_for_now_is_tried_again(server: FakeServer) -> None:
    pool = server.make_pool()
    server.trouble = AuthenticationFailed("not now: 454", code=454, is_transient=True)
    with pytest.raises(AuthenticationFailed):
        await pool.acquire()

    server.trouble = None

    await pool.acquire()


async def test_who_waits_for_the_first_connection_shares_its_failure(server: FakeServer) -> None:
    server.trouble = ConnectFailed("mx:25 refused the connection", host="mx:25", stage="connect")
    pool = server.make_pool(connections=8)

    server.gate.clear()
    workers = [asyncio.create_task(pool.acquire()) for _ in range(8)]
    await settle()
    server.gate.set()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)

    assert server.tries == 1
    assert {str(outcome) for outcome in outcomes} == {"mx:25 refused the connection"}
    assert all(isinstance(o, ConnectFailed) and o.stage == "connect" for o in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 8


async def test_a_later_failure_is_only_its_own_callers(server: FakeServer) -> None:
    pool = server.make_pool(connections=2)
    held = await pool.acquire()
    server.trouble = ConnectFailed("mx:25 refused the connection")
    server.gate.clear()
    failing = asyncio.create_task(pool.acquire())
    waiting = asyncio.create_task(pool.acquire())
    await settle()

    await pool.release(held)
    server.gate.set()

    assert await waiting is held
    with pytest.raises(ConnectFailed):
        await failing


async def test_cancelled_while_waiting_leaves_the_queue(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await settle()

    await cancel(waiter)

    assert repr(pool) == "<SessionPool mx:25 | 1 active, 0 idle, 0 waiting>"
    await pool.release(session)
    assert await pool.acquire() is session


async def test_cancelled_between_grant_and_wake_up_hands_the_session_on(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    unlucky = asyncio.create_task(pool.acquire())
    next_one = asyncio.create_task(pool.acquire())
    await settle()

    await pool.release(session)
    await cancel(unlucky)

    assert await next_one is session
    assert repr(pool) == "<SessionPool mx:25 | 1 active, 0 idle, 0 waiting>"


async def test_cancelled_between_a_granted_slot_and_wake_up_frees_the_slot(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    server.sessions[0].is_reusable = False
    unlucky = asyncio.create_task(pool.acquire())
    await settle()

    await pool.release(session)
    await cancel(unlucky)

    assert repr(pool) == "<SessionPool mx:25 | 0 active, 0 idle, 0 waiting>"
    assert await pool.acquire() is not session


async def test_granted_and_cancelled_while_the_pool_closes_is_closed_too(
    server: FakeServer,
) -> None:
    pool = server.make_pool(connections=1)
    session = await pool.acquire()
    unlucky = asyncio.create_task(pool.acquire())
    await settle()
    await pool.release(session)
    closing = asyncio.create_task(pool.close())
    unlucky.cancel()

    await closing
    await settle()

    assert server.sessions[0].did == ["quit", "abort"]


async def test_cancelled_while_opening_frees_the_slot_for_the_next(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    server.gate.clear()
    opening = asyncio.create_task(pool.acquire())
    next_one = asyncio.create_task(pool.acquire())
    await settle()

    await cancel(opening)
    server.gate.set()

    await next_one
    assert repr(pool) == "<SessionPool mx:25 | 1 active, 0 idle, 0 waiting>"


async def test_close_quits_idle_sessions_and_turns_waiters_away(server: FakeServer) -> None:
    pool = server.make_pool(connections=2)
    idle, held = await pool.acquire(), await pool.acquire()
    await pool.release(idle)

    await pool.close()

    assert server.sessions[0].did == ["quit", "abort"]
    assert server.sessions[1].did == []
    assert repr(pool) == "<SessionPool mx:25 | 1 active, 0 idle, 0 waiting | closed>"
    with pytest.raises(ConnectionLost, match="the connections to mx:25 are closed"):
        await pool.acquire()
    await pool.release(held)
    await settle()
    assert server.sessions[1].did == ["quit", "abort"]


async def test_close_wakes_who_waits(server: FakeServer) -> None:
    pool = server.make_pool(connections=1)
    await pool.acquire()
    waiter = asyncio.create_task(pool.acquire())
    await settle()

    await pool.close()

    with pytest.raises(SessionError):
        await waiter


async def test_a_session_opened_while_the_pool_closes_is_closed(server: FakeServer) -> None:
    pool = server.make_pool()
    server.gate.clear()
    opening = asyncio.create_task(pool.acquire())
    await settle()

    await pool.close()
    server.gate.set()

    with pytest.raises(ConnectionLost):
        await opening
    await settle()
    assert server.sessions[0].did == ["quit", "abort"]


async def test_close_is_bounded_when_no_server_answers(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.transport.pool.QUIT_TIMEOUT", 0.01)
    server.is_polite = False
    pool = server.make_pool(connections=5)
    for session in [await pool.acquire() for _ in range(5)]:
        await pool.release(session)

    async with asyncio.timeout(30):
        await pool.close()

    assert [session.did for session in server.sessions] == [["quit", "abort"]] * 5


async def test_a_cancelled_close_cuts_what_is_open(server: FakeServer) -> None:
    server.is_polite = False
    pool = server.make_pool()
    await pool.release(await pool.acquire())
    closing = asyncio.create_task(pool.close())
    await settle()

    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert server.sessions[0].did == ["quit", "abort"]


async def test_release_twice_and_release_of_a_stranger_change_nothing(server: FakeServer) -> None:
    pool = server.make_pool(connections=2)
    session = await pool.acquire()

    await pool.release(session)
    await pool.release(session)
    await pool.release(FakeSession(0.0))

    assert repr(pool) == "<SessionPool mx:25 | 0 active, 1 idle, 0 waiting>"
