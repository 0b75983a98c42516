"""Sessions that nobody uses: kept for as long as they are good for somebody who comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bulkmail.clock import Clock
from bulkmail.transport.pooled_session import PooledSession
from bulkmail.value_class import value_class

#: Seconds an idle session is kept. Servers are to wait 300 s for the next command (RFC 5321,
#: 4.5.3.2.7), and many wait less; KumoMTA keeps its idle ones for 60 s. Not shorter: at a pace
#: of a few messages a minute each would cost a login, which providers count.
IDLE_TIMEOUT = 60.0


@value_class
class _Idle:
    session: PooledSession
    #: By `Clock.monotonic`.
    since: float


class IdleSessions:
    """One pool's. Whom it gives up it has retired, which waits for nothing."""

    def __init__(
        self, lifetime: float, retire: Callable[[PooledSession], None], *, clock: Clock
    ) -> None:
        """A session's `lifetime`, in seconds, begins when it is opened."""
        self._lifetime = lifetime
        self._retire = retire
        self._clock = clock
        #: The one used last stands last and is taken first, so that surplus ones grow old.
        self._idle: list[_Idle] = []
        self._reaper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._idle)

    def put(self, session: PooledSession) -> None:
        """Keep one that is good; `watch` is to follow."""
        self._idle.append(_Idle(session, self._clock.monotonic()))

    def take(self) -> PooledSession | None:
        """The one used last; those that are no longer good are retired on the way."""
        while self._idle:
            idle = self._idle.pop()
            if idle.session.is_reusable and not self._is_stale(idle):
                return idle.session
            self._retire(idle.session)
        return None

    def watch(self) -> None:
        """See to it that they are retired as they grow old."""
        if self._idle and self._reaper is None:
            self._reaper = asyncio.get_running_loop().create_task(self._reap())

    def close(self) -> asyncio.Task[None] | None:
        """Retire them all; the task that watched them, which is cancelled, where there is one."""
        for idle in self._idle:
            self._retire(idle.session)
        self._idle.clear()
        if self._reaper is not None:
            self._reaper.cancel()
        return self._reaper

    def _is_stale(self, idle: _Idle) -> bool:
        return self._clock.monotonic() >= self._expires_at(idle)

    def _expires_at(self, idle: _Idle) -> float:
        return min(idle.since + IDLE_TIMEOUT, idle.session.opened_at + self._lifetime)

    async def _reap(self) -> None:
        """Retire them as they grow old; ends when there are none."""
        try:
            while self._idle:
                now = self._clock.monotonic()
                due_at = min(map(self._expires_at, self._idle))
                if now < due_at:
                    await self._clock.sleep(due_at - now)
                self._retire_stale()
        finally:
            self._reaper = None

    def _retire_stale(self) -> None:
        stale = [idle for idle in self._idle if self._is_stale(idle)]
        self._idle = [idle for idle in self._idle if idle not in stale]
        for idle in stale:
            self._retire(idle.session)
