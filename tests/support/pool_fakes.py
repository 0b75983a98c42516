"""A server, its sessions and a clock as the pool's tests want them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from bulkmail.message.mail_object import MailObject
from bulkmail.settings import Security, ServerSettings
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.pool import SessionPool
from bulkmail.transport.pooled_session import PooledSession


class FakeClock:
    """Stands still until told; who sleeps is woken by `advance`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        for at, woken in self._sleepers:
            if at <= self.now and not woken.done():
                woken.set_result(None)
        await settle()


class FakeSession:
    ahead: MailObject | None = None
    takes_followers = True
    window = 1
    is_answered = False
    is_in_question = False
    has_left = False

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.is_reusable = True
        self.transactions = 0
        self.goodbye = asyncio.Event()
        self.goodbye.set()
        self.did: list[str] = []

    async def send(
        self,
        mail: MailObject,
        mark: Callable[[], Awaitable[None]],
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] = bool,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> TransactionResult:
        raise NotImplementedError

    async def flush(self) -> None:
        pass

    def prepare(self, mail: MailObject) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        raise NotImplementedError

    async def catch_up(self) -> None:
        raise NotImplementedError

    async def post(self, mail: MailObject, *, check: Callable[[], None] | None = None) -> None:
        raise NotImplementedError

    async def settle(self) -> TransactionResult:
        raise NotImplementedError

    def accepted(self) -> list[Reply]:
        raise NotImplementedError

    async def quit(self) -> None:
        self.did.append("quit")
        await self.goodbye.wait()
        self.is_reusable = False

    def abort(self) -> None:
        self.did.append("abort")
        self.is_reusable = False


class FakeServer:
    """Where sessions come from. `gate` closed: a connection takes for ever."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pools: list[SessionPool] = []
        self.sessions: list[FakeSession] = []
        self.tries = 0
        self.trouble: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        #: Whether sessions answer QUIT.
        self.is_polite = True

    async def open_session(self) -> PooledSession:
        self.tries += 1
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        session = FakeSession(self.clock.now)
        if not self.is_polite:
            session.goodbye.clear()
        self.sessions.append(session)
        return session

    def make_pool(
        self,
        connections: int = 2,
        messages_per_connection: int = 100,
        connection_lifetime: float = 300.0,
    ) -> SessionPool:
        settings = ServerSettings(
            name="mx:25",
            host="mx",
            port=25,
            security=Security.NONE,
            connections=connections,
            messages_per_connection=messages_per_connection,
            connection_lifetime=connection_lifetime,
        )
        self.pools.append(SessionPool(settings, self.open_session, clock=self.clock))
        return self.pools[-1]

    async def close(self) -> None:
        """Leave no task behind."""
        for session in self.sessions:
            session.goodbye.set()
        for pool in self.pools:
            await pool.close()


async def settle() -> None:
    """Let all that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancel(task: asyncio.Task[PooledSession]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
