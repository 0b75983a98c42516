"""What the engine needs of the world: declared here, by the consumer, and met by its siblings.

`app` puts the implementations in. Transport and ledger never import this package. What is asked of
the ledger is in `ledger_port`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from bulkmail.campaign.units import Rate
from bulkmail.fate import Attempt, Delivery
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import Outcome
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult

#: Awaited by a session just before the end of data goes out. It returns when the `sending` mark is
#: durable; it raises `ClaimLost` when the row is no longer ours, and nothing is sent then.
Mark = Callable[[], Awaitable[None]]
#: Awaited by a session while the server answers the end of data. It raises nothing of its own.
Meanwhile = Callable[[], Awaitable[None]]


class Session(Protocol):
    """One connection to a server, greeting to QUIT; many transactions, one at a time."""

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        meanwhile: Meanwhile | None = None,
    ) -> TransactionResult | Outcome:
        """Run one transaction.

        A session that does not speak SMTP says itself what its try came to: an `Outcome`.

        `check` is called just before MAIL's bytes are handed to the connection; what it raises is
        passed on, nothing having been said.
        Where the first recipient is refused nobody gets the message, unless `first_decides` is
        false: then whoever was accepted does.

        Refusals are in the result. Raises `SessionError` when the session ended under way: its
        `stage` is `end of data` if and only if the final dot may have gone out (in doubt);
        `MessageRefusedLocally` when this server cannot take the message and nothing was sent.
        Whatever `mark` raises is passed on, the session being aborted first when the server waits
        for content. A cancellation aborts the connection.

        `meanwhile` is awaited once all was handed over, if the session has to wait at all.
        """
        ...


class Terms(Protocol):
    """How much a server, or whatever else stands at the end of a way, may be given."""

    @property
    def name(self) -> str:
        """Reports and limits hang on it."""
        ...

    @property
    def rates(self) -> tuple[Rate, ...]:
        """At most so many messages in any window."""
        ...

    @property
    def connections(self) -> int:
        """At most so many sessions at once."""
        ...

    @property
    def weight(self) -> int | None:
        """Its share, where all have one; None: in order of preference."""
        ...


class Transport(Protocol):
    """The way to one server: a pool of sessions. Also the ends that are no server (.eml files)."""

    @property
    def name(self) -> str:
        """The server's name: reports and limits hang on it."""
        ...

    async def acquire(self) -> Session:
        """A session in READY, idle or new; reserved for the caller. Raises `SessionError`."""
        ...

    async def release(self, session: Session) -> None:
        """Give a session back; it is closed unless it can be used again. Never raises."""
        ...

    async def close(self) -> None:
        """QUIT from all idle sessions. Never raises, and is bounded in time."""
        ...


class FollowedSession(Session, Protocol):
    """A session on which a message's envelope may ride behind the one before it."""

    async def send(
        self,
        mail: MailObject,
        mark: Mark,
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] = ...,
        meanwhile: Meanwhile | None = None,
    ) -> TransactionResult | Outcome:
        """Run one transaction, or go on with the one that is `ahead`; else as `Session.send`.

        The envelope of `follower` goes out behind the final dot where the server can do that, and
        `may_follow`, asked as its bytes are handed to the connection, lets it. It is `ahead` then.
        """
        ...

    @property
    def ahead(self) -> MailObject | None:
        """The message whose envelope went out behind the last final dot: it is to be sent next.

        Its content is not out, so it is safe whatever becomes of the session.
        """
        ...


class WindowedSession(Protocol):
    """A session to which whole messages may be handed over ahead of their replies."""

    @property
    def window(self) -> int:
        """How many messages may be on their way at once."""
        ...

    async def catch_up(self) -> None:
        """Take in what has arrived, before a number of `post`: what closed the session is known."""
        ...

    def prepare(self, mail: MailObject) -> None:
        """Do ahead, in this order, what of `post` needs no mark. Raises nothing."""
        ...

    async def post(self, mail: MailObject, *, check: Callable[[], None] | None = None) -> None:
        """Hand over a message for one recipient; its end may be out from here on.

        Its bytes go with those of the next ones, by `flush` or `settle` at the latest. `check` as
        for `Session.send`, and it is to hold until then. Raises `MessageRefusedLocally` and what
        `check` raises, nothing having been said then. Where the session breaks, `settle` tells.
        """
        ...

    async def flush(self) -> None:
        """Let the bytes go of what was posted. Where the session breaks, `settle` tells."""
        ...

    async def leave(self) -> None:
        """As `flush`, and nothing more will be posted: the session is released when all is told."""
        ...

    @property
    def is_answered(self) -> bool:
        """Whether `settle` would not wait."""
        ...

    async def settle(self) -> TransactionResult:
        """The result of the oldest message that has none.

        Raises `SessionError`, its stage `end of data` if and only if that message may have been
        taken. A cancellation aborts the connection.
        """
        ...

    @property
    def is_in_question(self) -> bool:
        """Whether the result that `settle` gave last may be for the way it was handed over.

        The message is to be tried again then, which goes another way.
        """
        ...

    @property
    def unsent(self) -> int:
        """How many of the last that were posted are surely not out."""
        ...

    def accepted(self) -> Sequence[Reply]:
        """The replies to the ends of the oldest messages that are plainly accepted by now.

        They have their results by that. What else there is to one, `settle` tells.
        """
        ...


@runtime_checkable
class Pipelined(Protocol):
    """A transport whose sessions may be `FollowedSession`s, or `WindowedSession`s."""

    @property
    def depth(self) -> int:
        """Messages of a session that may be on their way at once, at most."""
        ...

    def keeps(self, session: Session, besides: int = 0) -> bool:
        """Whether a session the caller has may have one more message, by number and age.

        `besides` are not begun yet, and come before it.
        """
        ...

    def is_free(self, session: Session) -> bool:
        """Whether on a session the caller has the next transaction could begin at once."""
        ...

    def spend(self, session: Session) -> None:
        """Give a session the caller has no more messages; it is closed when it is released."""
        ...

    def windowed(self, session: Session) -> WindowedSession | None:
        """A session the caller has, where several messages may be on their way at once."""
        ...

    def followed(self, session: Session) -> FollowedSession | None:
        """A session the caller has, where a message may ride behind the one under way."""
        ...


class Observer(Protocol):
    """Whoever watches a run: the progress display, the log. Calls are cheap and never raise."""

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """One try was made and its result is in the ledger."""
        ...

    def waiting(self, sentence: str, until: float | None) -> None:
        """The run waits, and why; "" when it no longer does. `until` in epoch seconds."""
        ...

    def server_changed(self, server: str, sentence: str) -> None:
        """A server became unusable, or usable again ("")."""
        ...
