"""A scheduler's runs share the pools of their servers."""

from __future__ import annotations

import pytest
from support.engine import FakeTransport, server

from bulkmail.app.scheduling import shared_pools
from bulkmail.app.scheduling.shared_pools import SharedPools
from bulkmail.clock import SystemClock
from bulkmail.delivery.ports import Transport
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, ServerSettings


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeTransport]:
    """Every pool that was made, in order."""
    pools: list[FakeTransport] = []

    def make(servers: list[ServerSettings], *_: object, **__: object) -> object:
        pools.extend(FakeTransport(one.name) for one in servers)
        return list(zip(servers, pools[-len(servers) :], strict=True))

    monkeypatch.setattr(shared_pools, "pools", make)
    return pools


def lent(shared: SharedPools, *servers: ServerSettings) -> list[Transport]:
    return [transport for _, transport in shared.ends(servers, SystemClock(), None)]


def login(text: str) -> ServerSettings:
    return server("a", username="me", password=PasswordSource(secret=Secret(text)))


async def test_two_runs_use_one_pool_which_is_closed_with_the_last(
    made: list[FakeTransport],
) -> None:
    shared = SharedPools()
    (one,), (another,) = lent(shared, login("secret")), lent(shared, login("secret"))

    await one.acquire()
    await another.acquire()
    await one.close()
    await one.close()
    still_open = not made[0].is_closed
    await another.close()

    assert (len(made), made[0].most_in_use) == (1, 2)
    assert still_open
    assert made[0].is_closed


async def test_a_later_run_has_a_new_pool(made: list[FakeTransport]) -> None:
    shared = SharedPools()
    (one,) = lent(shared, login("secret"))
    await one.close()

    lent(shared, login("secret"))

    assert len(made) == 2


async def test_servers_that_differ_in_anything_have_pools_of_their_own(
    made: list[FakeTransport],
) -> None:
    shared = SharedPools()

    lent(shared, login("secret"), login("another"), server("b"), server("b", connections=9))

    assert len(made) == 4


async def test_what_several_processes_took_nobody_else_takes(made: list[FakeTransport]) -> None:
    shared = SharedPools()
    assert shared.take([server("a"), server("b")])

    again = shared.take([server("b"), server("c")])
    another = shared.take([server("c")])
    shared.put_back([server("a"), server("b")])
    back = shared.take([server("b")])

    assert (again, another, back) == (False, True, True)
    assert not made


async def test_who_uses_a_pool_keeps_its_connections(made: list[FakeTransport]) -> None:
    shared = SharedPools()
    (one,) = lent(shared, server("a"))

    taken = shared.take([server("a")])
    await one.close()

    assert not taken
    assert shared.take([server("a")])
    assert len(made) == 1


async def test_beside_several_processes_others_share_one_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections: list[int] = []

    def make(servers: list[ServerSettings], *_: object, **__: object) -> object:
        connections.extend(one.connections for one in servers)
        return [(one, FakeTransport(one.name)) for one in servers]

    monkeypatch.setattr(shared_pools, "pools", make)
    shared = SharedPools()
    shared.take([server("a", connections=8)])
    lent(shared, server("a", connections=8))
    lent(shared, server("a", connections=8), server("b", connections=8))

    assert connections == [1, 8]
