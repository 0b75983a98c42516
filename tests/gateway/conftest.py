"""A gateway of pytest-httpserver, or a scripted one, and one text sent to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bulkmail.clock import SystemClock
from bulkmail.gateway import GatewayTransport
from bulkmail.message.sms.text_message import RenderedRequest, TextMessage
from bulkmail.outcome import Outcome
from bulkmail.secret import Secret
from bulkmail.settings import AnswerPattern, GatewaySettings

KEY = "sekret-key-4711"
TEXT = "您的验证码是：482913。"
NUMBER = "+8613800138000"


class FixedKey:
    """A key that never changes, or one that is another when it is asked for again."""

    def __init__(self, *keys: str) -> None:
        self._keys = [Secret(key) for key in keys]

    async def current(self) -> Secret:
        return self._keys[0]

    async def renew(self, refused: Secret) -> bool:
        if len(self._keys) < 2:
            return False
        del self._keys[0]
        return True


@dataclass
class Sender:
    """Sends one text, and remembers what was told and marked."""

    lines: list[str] = field(default_factory=list)
    marks: int = 0

    async def mark(self) -> None:
        self.marks += 1

    async def send(
        self,
        settings: GatewaySettings,
        *,
        key: FixedKey | None = None,
        request: RenderedRequest | None = None,
        check: Callable[[], None] | None = None,
        mark: Callable[[], Awaitable[None]] | None = None,
    ) -> Outcome:
        transport = GatewayTransport(
            settings,
            clock=SystemClock(),
            key=key or FixedKey(KEY),
            scribe=lambda: self.lines.append,
        )
        message = TextMessage.to(NUMBER, TEXT, message_id="<1@x.example>", row=1, request=request)
        try:
            session = await transport.acquire()
            return await session.send(message, mark or self.mark, check=check)
        finally:
            await transport.close()


@pytest.fixture
def sender() -> Sender:
    return Sender()


def ihuyi(endpoint: str, **terms: Any) -> GatewaySettings:
    """ihuyi, at another address."""
    return GatewaySettings(
        name="ihuyi", provider="ihuyi", url=endpoint, account=Secret("C12345"), **terms
    )


def described(url: str, **terms: Any) -> GatewaySettings:
    """A gateway that is described, with `$.state` to be `ok`."""
    success = AnswerPattern(steps=("state",), values=("ok",))
    return GatewaySettings(
        name="other",
        provider="http",
        url=url,
        account=Secret("C12345"),
        **{"success": success} | terms,
    )
