"""The pool: at most `connections` sessions to one server, used again for as long as they are good.

Who gets what is decided synchronously by `_serve` over plain lists: it hands out an idle session,
or a slot to open one in, or the reason why there is none; the waiting and the I/O are done by
others, and end in `_serve` again. First come, first served: nobody overtakes who waits.

A slot counts as taken from before the connection is opened until it is closed, QUIT included:
servers count connections, not what we think of them. So QUIT is said in the background; it takes
at most `QUIT_TIMEOUT`, and holds up only who needs that very slot.

Until one session was opened, only one at a time is tried, and its failure is the answer to all
who wait: a wrong password is then one refused login and not `connections` of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bulkmail.clock import Clock
from bulkmail.errors import AuthenticationFailed, ConnectionLost, SessionError
from bulkmail.settings import ServerSettings
from bulkmail.transport.idle_sessions import IdleSessions
from bulkmail.transport.pooled_session import PooledSession

#: Seconds for QUIT and its reply, then the connection is cut. Everything on it is settled by
#: then, so nothing is lost but the courtesy; one second is three slow round trips.
QUIT_TIMEOUT = 1.0


#: What a waiter is handed: a session; None, a slot to open one in; or why there is neither.
_Turn: TypeAlias = PooledSession | SessionError | None


class SessionPool:
    """Sessions to one server; meets the `Transport` port of delivery."""

    def __init__(
        self,
        settings: ServerSettings,
        open_session: Callable[[], Awaitable[PooledSession]],
        *,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._open_session = open_session
        self._clock = clock
        self._idle = IdleSessions(settings.connection_lifetime, self._retire, clock=clock)
        #: By identity: a session need not be hashable.
        self._active: dict[int, PooledSession] = {}
        #: Of those, whose server would have no more of them; by identity as well.
        self._spent: set[int] = set()
        self._opening = 0
        self._closing: dict[asyncio.Task[None], PooledSession] = {}
        self._waiting: deque[asyncio.Future[_Turn]] = deque()
        self._was_opened = False
        self._is_closed = False
        self._refusal: AuthenticationFailed | None = None

    @property
    def name(self) -> str:
        """The server's name."""
        return self._settings.name

    def __repr__(self) -> str:
        counts = {
            "active": len(self._active),
            "idle": len(self._idle),
            "waiting": sum(not turn.done() for turn in self._waiting),
            "opening": self._opening,
            "closing": len(self._closing),
        }
        always = {"active", "idle", "waiting"}
        shown = ", ".join(f"{n} {word}" for word, n in counts.items() if n or word in always)
        return f"<SessionPool {self.name} | {shown}{' | closed' if self._is_closed else ''}>"

    async def acquire(self) -> PooledSession:
        """A session in READY, reserved for the caller, who gives it back with `release`.

        Waits while all slots are taken. Raises `SessionError` where none could be opened; after a
        login was refused for good (not with 454) none is ever tried again. A cancelled caller
        leaves no slot and no session behind.
        """
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._serve()
        try:
            granted: _Turn = await turn
        except BaseException:
            self._hand_back(turn)
            raise
        if isinstance(granted, SessionError):
            raise granted
        return await self._open() if granted is None else granted

    async def release(self, session: object) -> None:
        """Give a session back: kept where it can be used again, else closed.

        Never raises and does not wait: QUIT is said in the background. What is not (or no longer)
        out on loan is left alone.
        """
        lent = self._active.pop(id(session), None)
        if lent is None:
            return
        self._put_back(lent)

    @property
    def depth(self) -> int:
        """Messages of a session that may be on their way at once, at most."""
        return self._settings.window

    def keeps(self, session: object, besides: int = 0) -> bool:
        """Whether a session out on loan may have one more message, by number and age.

        `besides` are not begun yet, and come before it.
        """
        lent = self._active.get(id(session))
        return lent is not None and not self._is_closed and not self._is_spent(lent, besides)

    def is_free(self, session: object) -> bool:
        """Whether on a session out on loan the next transaction could begin at once."""
        lent = self._active.get(id(session))
        return lent is not None and lent.is_reusable

    def spend(self, session: object) -> None:
        """Give a session out on loan no more messages; it is closed when it is released."""
        if id(session) in self._active:
            self._spent.add(id(session))

    def followed(self, session: object) -> PooledSession | None:
        """A session out on loan, where a message may ride behind the one under way."""
        lent = self._active.get(id(session))
        return lent if lent is not None and lent.takes_followers else None

    def windowed(self, session: object) -> PooledSession | None:
        """A session out on loan, where several messages may be on their way at once."""
        lent = self._active.get(id(session))
        return lent if lent is not None and lent.window > 1 else None

    async def close(self) -> None:
        """QUIT from all idle sessions; who waits for one gets `ConnectionLost`.

        Never raises, and returns within `QUIT_TIMEOUT`. Sessions out on loan are closed when they
        are released. A cancelled close cuts what is still open.
        """
        self._is_closed = True
        reaper = self._idle.close()
        self._serve()
        unfinished = {*self._closing, *([reaper] if reaper else [])}
        try:
            if unfinished:
                await asyncio.wait(unfinished)
        except asyncio.CancelledError:
            for task in unfinished:
                task.cancel()
            await asyncio.wait(unfinished)
            raise

    # Decisions: synchronous, nothing happens between a look and its effect.

    def _serve(self) -> None:
        """Give those who wait, in their order, what there is."""
        while self._waiting:
            if self._waiting[0].done():
                # Cancelled, and not yet awake to leave the queue.
                self._waiting.popleft()
            elif (session := self._idle.take()) is not None:
                self._active[id(session)] = session
                self._waiting.popleft().set_result(session)
            elif (obstacle := self._obstacle()) is not None:
                self._waiting.popleft().set_result(obstacle)
            elif self._may_open():
                self._opening += 1
                self._waiting.popleft().set_result(None)
            else:
                return

    def _obstacle(self) -> SessionError | None:
        if self._is_closed:
            return self._closed()
        return None if self._refusal is None else _again(self._refusal)

    def _closed(self) -> ConnectionLost:
        return ConnectionLost(f"the connections to {self.name} are closed", host=self.name)

    def _may_open(self) -> bool:
        if not self._was_opened:
            return self._opening == 0
        live = len(self._idle) + len(self._active) + self._opening + len(self._closing)
        return live < self._settings.connections

    def _is_spent(self, session: PooledSession, besides: int = 0) -> bool:
        limit = self._settings.messages_per_connection
        age = self._clock.monotonic() - session.opened_at
        is_full = 0 < limit <= session.transactions + besides
        is_old = age >= self._settings.connection_lifetime
        return is_full or is_old or id(session) in self._spent

    def _put_back(self, session: PooledSession) -> None:
        if self._is_closed or not session.is_reusable or self._is_spent(session):
            self._retire(session)
        else:
            self._idle.put(session)
        self._serve()
        if not self._is_closed:
            self._idle.watch()

    def _hand_back(self, turn: asyncio.Future[_Turn]) -> None:
        """Undo a turn whose waiter was cancelled; it may have been granted by then.

        Where it was not, `_serve` drops it when it comes to it.
        """
        if turn.done() and not turn.cancelled():
            granted = turn.result()
            if granted is None:
                self._opening -= 1
            elif not isinstance(granted, SessionError):
                self._put_back(self._active.pop(id(granted)))
        self._serve()

    def _learn(self, error: BaseException) -> None:
        """Let those who wait for the same thing share in what an opening came to."""
        if isinstance(error, AuthenticationFailed) and not error.is_transient:
            self._refusal = error
        elif isinstance(error, SessionError) and not self._was_opened:
            for turn in self._waiting:
                if not turn.done():
                    turn.set_result(_again(error))

    # Effects.

    async def _open(self) -> PooledSession:
        """Open a session in the slot that `_serve` reserved."""
        try:
            session = await self._open_session()
        except BaseException as error:
            self._opening -= 1
            self._learn(error)
            self._serve()
            raise
        self._opening -= 1
        self._was_opened = True
        if self._is_closed:
            self._retire(session)
            raise self._closed()
        self._active[id(session)] = session
        self._serve()
        return session

    def _retire(self, session: PooledSession) -> None:
        """Close a session: QUIT in the background where it would be understood."""
        self._spent.discard(id(session))
        if not (session.is_reusable or session.has_left):
            session.abort()
            return
        task = asyncio.get_running_loop().create_task(self._quit(session))
        self._closing[task] = session
        task.add_done_callback(self._retired)

    async def _quit(self, session: PooledSession) -> None:
        with contextlib.suppress(SessionError, TimeoutError):
            async with asyncio.timeout(QUIT_TIMEOUT):
                await session.quit()

    def _retired(self, task: asyncio.Task[None]) -> None:
        # Runs for a task that was cancelled before its first step as well, unlike a `finally`.
        self._closing.pop(task).abort()
        self._serve()


def _again(error: SessionError) -> SessionError:
    """The same error for somebody else, with a traceback of its own."""
    return copy.copy(error)
