"""What the pool needs of a session: its users' verbs, whether it is good, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult


class PooledSession(Protocol):
    """What the pool needs of a session, beyond what its users do."""

    async def send(
        self,
        mail: MailObject,
        mark: Callable[[], Awaitable[None]],
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] = ...,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> TransactionResult:
        """Run one transaction; the pool never does."""
        ...

    @property
    def ahead(self) -> MailObject | None:
        """The message whose envelope is out already; the pool does not ask."""
        ...

    @property
    def window(self) -> int:
        """How many messages may be on their way at once."""
        ...

    async def catch_up(self) -> None:
        """Take in what has arrived; the pool never asks."""
        ...

    def prepare(self, mail: MailObject) -> None:
        """Encode what is posted next; the pool never does."""
        ...

    async def post(self, mail: MailObject, *, check: Callable[[], None] | None = None) -> None:
        """Hand over a whole message; the pool never does."""
        ...

    async def flush(self) -> None:
        """Hand over what was posted; the pool never does."""
        ...

    async def leave(self) -> None:
        """Hand over what was posted, and nothing behind it; the pool never does."""
        ...

    @property
    def has_left(self) -> bool:
        """Whether QUIT is out, and only its reply may be owed: `quit` waits for it."""
        ...

    @property
    def is_answered(self) -> bool:
        """Whether `settle` would not wait."""
        ...

    async def settle(self) -> TransactionResult:
        """The oldest message's result; the pool never asks."""
        ...

    @property
    def is_in_question(self) -> bool:
        """Whether that may be for the BDAT; the pool never asks."""
        ...

    def accepted(self) -> Sequence[Reply]:
        """Those that are plainly accepted; the pool never asks."""
        ...

    @property
    def takes_followers(self) -> bool:
        """Whether a message's envelope may ride behind another's final dot."""
        ...

    @property
    def is_reusable(self) -> bool:
        """Whether it is in READY, owes no reply, and its connection stands."""
        ...

    @property
    def transactions(self) -> int:
        """How many transactions were begun."""
        ...

    @property
    def opened_at(self) -> float:
        """When it was opened, by `Clock.monotonic`."""
        ...

    async def quit(self) -> None:
        """Say QUIT, wait for the reply, close. May raise `SessionError`."""
        ...

    def abort(self) -> None:
        """Cut the connection at once; harmless where it is closed already."""
        ...
