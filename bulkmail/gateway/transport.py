"""The way to a gateway: meets delivery's `Transport` and `Session`.

A session is a request at a time; all of them share the pooled connections. Nothing is opened by
`acquire` but the account's key, which is read when it is first needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from bulkmail.clock import Clock
from bulkmail.gateway.described import Described
from bulkmail.gateway.exchange import Exchanges, HttpAnswer, HttpRequest, Silence, TlsRefused
from bulkmail.gateway.ihuyi import Ihuyi
from bulkmail.gateway.judging import Discretion, Read
from bulkmail.gateway.step import Step
from bulkmail.message.mail_object import MailObject
from bulkmail.message.sms.text_message import TextMessage
from bulkmail.outcome import Blame, InDoubt, Outcome, PermanentFailure
from bulkmail.secret import Secret
from bulkmail.settings import GatewaySettings

#: Tells one line of the dialogue.
Tell = Callable[[str], None]


class Key(Protocol):
    """The account's key, from wherever its settings say."""

    async def current(self) -> Secret:
        """The key. Raises `SessionError` where it cannot be had."""
        ...

    async def renew(self, refused: Secret) -> bool:
        """Whether there is another one now than the one that was `refused`."""
        ...


class Provider(Protocol):
    """A gateway's own words."""

    def request(
        self, message: TextMessage, account: str, password: Secret, now: float
    ) -> tuple[HttpRequest, tuple[str, ...], Discretion]:
        """The request, its lines for a transcript, and what may not be shown of its answer."""
        ...

    def outcome(self, answer: HttpAnswer, now: float, discreet: Discretion) -> Outcome:
        """What an answer comes to."""
        ...


class GatewayTransport:
    """One gateway."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        clock: Clock,
        key: Key | None,
        scribe: Callable[[], Tell] | None = None,
    ) -> None:
        """`key` None: it has none. `scribe` gives each session a way to tell its dialogue."""
        self._settings = settings
        self._clock = clock
        self._key = key
        self._scribe = scribe
        self._exchanges = Exchanges(settings)
        self._provider: Provider = (
            Ihuyi(settings) if settings.provider == "ihuyi" else Described(settings)
        )
        self._idle: list[GatewaySession] = []

    @property
    def name(self) -> str:
        """The gateway's name."""
        return self._settings.name

    def __repr__(self) -> str:
        return f"<GatewayTransport {self.name} | {self._settings.provider}>"

    async def acquire(self) -> GatewaySession:
        """A session. Raises `SessionError` where the account's key cannot be had."""
        key = Secret("") if self._key is None else await self._key.current()
        session = self._idle.pop() if self._idle else self._opened()
        session.key = key
        return session

    async def release(self, session: object) -> None:
        """Give a session back."""
        if isinstance(session, GatewaySession):
            self._idle.append(session)

    def keeps(self, session: object) -> bool:
        """No message follows on a session that its caller has: there is nothing to be won by it."""
        del session
        return False

    async def close(self) -> None:
        """Close all connections. Never raises, and is bounded in time."""
        await self._exchanges.close()

    def _opened(self) -> GatewaySession:
        tell = None if self._scribe is None else self._scribe()
        account = "" if self._settings.account is None else self._settings.account.reveal()
        return GatewaySession(
            self._exchanges, self._provider, clock=self._clock, account=account, tell=tell
        ).renewing(self._key)


class GatewaySession:
    """A request at a time."""

    def __init__(
        self,
        exchanges: Exchanges,
        provider: Provider,
        *,
        clock: Clock,
        account: str,
        tell: Tell | None,
    ) -> None:
        self._exchanges = exchanges
        self._provider = provider
        self._clock = clock
        self._account = account
        self._tell = tell
        self._renewal: Key | None = None
        #: The account's key, as of the last time it was acquired.
        self.key = Secret("")

    def renewing(self, key: Key | None) -> GatewaySession:
        """Where a fresh key comes from when one is refused."""
        self._renewal = key
        return self

    @property
    def ahead(self) -> None:
        """Nothing rides behind a request: each is one by itself."""
        return

    async def send(
        self,
        mail: MailObject,
        mark: Callable[[], Awaitable[None]],
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        follower: MailObject | None = None,
        may_follow: Callable[[], bool] | None = None,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> Outcome:
        """Make one request.

        `check` and `mark` are called just before its first byte; what they raise is passed on,
        nothing having been sent. Raises `SessionError` where there was no connection to send it by,
        and `MessageRefusedLocally` where it cannot be a request.
        """
        del first_decides, follower, may_follow, meanwhile
        if not isinstance(mail, TextMessage):
            raise TypeError("a gateway takes text messages")

        async def before() -> None:
            if check is not None:
                check()
            await mark()

        outcome = await self._ask(mail, before)
        is_refused = isinstance(outcome, PermanentFailure) and outcome.ends_use
        if is_refused and self._renewal is not None and await self._renewal.renew(self.key):
            # It refused the account, and so the message was not taken.
            self.key = await self._renewal.current()
            outcome = await self._ask(mail, _nothing)
        return outcome

    async def _ask(self, message: TextMessage, before: Callable[[], Awaitable[None]]) -> Outcome:
        now = self._clock.time()
        request, lines, discreet = self._provider.request(message, self._account, self.key, now)

        async def begin() -> None:
            await before()
            if self._tell is not None:
                for line in lines:
                    self._tell(f"C: {discreet(line)}")

        try:
            answer = await self._exchanges.ask(request, begin)
        except TlsRefused as error:
            return PermanentFailure(
                blame=Blame.SERVER, stage=Step.CONNECT, reply=None, reason=str(error), ends_use=True
            )
        if isinstance(answer, Silence):
            if self._tell is not None:
                self._tell(f"  {answer.reason}")
            return InDoubt(reason=f"sent, and no answer came: {answer.reason}", stage=Step.ANSWER)
        now = self._clock.time()
        if self._tell is not None:
            self._tell(f"S: {answer.status} {Read.of(answer, now, discreet).excerpt}".rstrip())
        return self._provider.outcome(answer, now, discreet)


async def _nothing() -> None:
    """It was marked already."""
