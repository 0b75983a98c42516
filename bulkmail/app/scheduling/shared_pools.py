"""One pool a server or gateway for all runs of a scheduler: together they keep to `connections`.

A pool lives for as long as some run uses it: the next one begins anew, with a login that may have
been mended meanwhile. A run of several processes has its connections in those: it takes all of a
server's but one, where nobody uses that yet, and the other runs share the one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bulkmail.app.assembly import KEPT_BACK, End, Opening, pools
from bulkmail.clock import Clock
from bulkmail.delivery.ports import Session, Transport
from bulkmail.settings import Way
from bulkmail.transport.transcript import Transcript


@dataclass(slots=True)
class _Use:
    pool: Transport
    runs: int = 0


class SharedPools:
    """Lends each run the pools of its servers."""

    def __init__(self) -> None:
        self._uses: dict[Way, _Use] = {}
        #: Servers whose connections are in other processes, but for one.
        self._taken: set[Way] = set()

    def take(self, servers: Sequence[Way]) -> bool:
        """Take all connections of these but `KEPT_BACK` of each; whether they were free."""
        if any(server in self._uses or server in self._taken for server in servers):
            return False
        self._taken.update(servers)
        return True

    def put_back(self, servers: Sequence[Way]) -> None:
        """What was taken is free again."""
        self._taken.difference_update(servers)

    def ends(
        self,
        servers: Iterable[Way],
        clock: Clock,
        transcript: Transcript | None,
        *,
        opening: Opening | None = None,
    ) -> list[End]:
        """The servers, each with its pool; the first run that names one decides its transcript."""
        return [
            (settings, self._lend(settings, clock, transcript, opening)) for settings in servers
        ]

    def _lend(
        self,
        settings: Way,
        clock: Clock,
        transcript: Transcript | None,
        opening: Opening | None,
    ) -> Transport:
        use = self._uses.get(settings)
        if use is None:
            own = settings
            if settings in self._taken:
                own = replace(settings, connections=KEPT_BACK)
            ((_, pool),) = pools([own], clock, transcript, opening=opening)
            use = self._uses[settings] = _Use(pool)
        use.runs += 1
        return _Lent(self, settings, use)

    async def give_back(self, settings: Way, use: _Use) -> None:
        """A run needs it no longer; closed with the last one."""
        use.runs -= 1
        if not use.runs:
            self._uses.pop(settings, None)
            await use.pool.close()


class _Lent:
    """A pool, as one run sees it."""

    def __init__(self, lender: SharedPools, settings: Way, use: _Use) -> None:
        self._lender = lender
        self._settings = settings
        self._use: _Use | None = use
        self._pool = use.pool

    @property
    def name(self) -> str:
        """The server's name."""
        return self._pool.name

    async def acquire(self) -> Session:
        """As the pool's."""
        return await self._pool.acquire()

    async def release(self, session: Session) -> None:
        """As the pool's."""
        await self._pool.release(session)

    async def close(self) -> None:
        """Give the pool back: others may still use it."""
        use, self._use = self._use, None
        if use is not None:
            await self._lender.give_back(self._settings, use)
