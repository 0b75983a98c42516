"""The first session to a server: one process of the run tries it, the others wait for its answer.

A wrong password is one refused login then, whatever the number of processes (the contract,
section 2). `Door` is a child's side, `Porter` the parent's.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bulkmail.errors import AuthenticationFailed

S = TypeVar("S")


class Door:
    """Where a child's sessions begin."""

    def __init__(self, say: Callable[..., object]) -> None:
        self._say = say
        self._opened: set[str] = set()
        self._refusals: dict[str, AuthenticationFailed] = {}
        self._knocking: dict[str, asyncio.Future[None]] = {}

    async def enter(self, server: str, open_session: Callable[[], Awaitable[S]]) -> S:
        """Open a session, where and as soon as it may be.

        Raises what `open_session` does, and `AuthenticationFailed` where another process was
        refused.
        """
        is_first = server not in self._opened and server not in self._refusals
        if is_first:
            await self._permission(server)
        if (refusal := self._refusals.get(server)) is not None:
            raise copy.copy(refusal)
        try:
            session = await open_session()
        except AuthenticationFailed as error:
            if not error.is_transient:
                self._refusals[server] = error
                self._say("login refused", server, error)
            elif is_first:
                self._say("not opened", server)
            raise
        except BaseException:
            if is_first:
                self._say("not opened", server)
            raise
        if is_first:
            self._opened.add(server)
            self._say("opened", server)
        return session

    def admit(self, server: str) -> None:
        """The parent lets this process try."""
        if (knocking := self._knocking.pop(server, None)) is not None and not knocking.done():
            knocking.set_result(None)
        else:
            # Whoever knocked has gone: the turn is somebody else's.
            self._say("not opened", server)

    def refuse(self, server: str, error: AuthenticationFailed) -> None:
        """Another process was refused: none tries again."""
        self._refusals[server] = error
        if (knocking := self._knocking.pop(server, None)) is not None and not knocking.done():
            knocking.set_result(None)

    async def _permission(self, server: str) -> None:
        knocking = asyncio.get_running_loop().create_future()
        self._knocking[server] = knocking
        self._say("knock", server)
        await knocking


class Porter:
    """Whose turn it is, and what came of it. `tell` says something to a child by its number."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._opened: set[str] = set()
        self._refusals: dict[str, AuthenticationFailed] = {}
        self._trying: dict[str, int] = {}
        self._waiting: dict[str, deque[int]] = {}

    def answer(self, number: int, words: tuple[Any, ...]) -> bool:
        """Answer what child `number` said; whether it was said to the porter."""
        match words:
            case ("knock", str(server)):
                self._waiting.setdefault(server, deque()).append(number)
            case ("opened", str(server)):
                self._opened.add(server)
                self._trying.pop(server, None)
            case ("not opened", str(server)):
                if self._trying.get(server) == number:
                    del self._trying[server]
            case ("login refused", str(server), AuthenticationFailed() as error):
                self._refusals[server] = error
                self._trying.pop(server, None)
            case _:
                return False
        self._serve(server)
        return True

    def forget(self, number: int) -> None:
        """That child is no more: it neither tries nor waits."""
        for server in dict.fromkeys((*self._trying, *self._waiting)):
            if self._trying.get(server) == number:
                del self._trying[server]
            if server in self._waiting:
                self._waiting[server] = deque(
                    waiting for waiting in self._waiting[server] if waiting != number
                )
            self._serve(server)

    def refusals(self) -> dict[str, AuthenticationFailed]:
        """Logins that were refused, by server."""
        return dict(self._refusals)

    def _serve(self, server: str) -> None:
        waiting = self._waiting.get(server, deque())
        while waiting:
            if (refusal := self._refusals.get(server)) is not None:
                self._tell(waiting.popleft(), "login refused", server, refusal)
            elif server in self._opened:
                self._tell(waiting.popleft(), "enter", server)
            elif server in self._trying:
                return
            else:
                self._trying[server] = waiting.popleft()
                self._tell(self._trying[server], "enter", server)
